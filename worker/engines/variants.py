"""Choose the engine that trains a run: by the device, recorded with the run, kept when it resumes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lab.experiments.configs import RunConfig
from worker.devices import describe_device
from worker.engines.compilation import EngineUnavailableError, count_lanes, load_library
from worker.engines.interface import Engine
from worker.engines.stacked import StackedEngine
from worker.engines.vector import VectorEngine

logger = logging.getLogger(__name__)

STACKED = "stacked"
VECTOR_PREFIX = "vector-"
# Runs per job on a GPU, which one run leaves idle; a study of 24 is one job.
GPU_BUNDLE_SIZE = 24


@dataclass(frozen=True, kw_only=True)
class Backend:
    """The device a worker trains on, its processor cores and its engines.

    ``variant`` is the engine that new runs are given: ``vector-16``, ``vector-8`` or ``vector-4`` by the
    number of images in a register, or ``stacked``, PyTorch's operators.
    """

    device: torch.device
    num_threads: int
    cache_dir: Path
    variant: str

    @property
    def description(self) -> str:
        """A description of the device."""
        return describe_device(self.device, num_threads=self.num_threads)

    @property
    def bundle_size(self) -> int:
        """The number of runs to train at once."""
        return self.num_threads if self.device.type == "cpu" else GPU_BUNDLE_SIZE

    @property
    def num_lanes(self) -> int:
        """The number of arrays of runs that train side by side, each in a thread of its own."""
        return self.num_threads if self.device.type == "cpu" else 1

    def is_fusing(self, variant: str) -> bool:
        """Return whether an engine of this variant trains several runs as one network here.

        On a CPU two runs in two threads are faster than two runs as one.
        """
        return variant == STACKED and self.device.type != "cpu"

    def build_engine(self, variant: str, configs: Sequence[RunConfig]) -> Engine:
        """An engine for the networks of ``configs``.

        Raises:
            EngineUnavailableError: the variant cannot be had here.
        """
        if not variant.startswith(VECTOR_PREFIX):
            return StackedEngine(configs)
        if self.device.type != "cpu":
            raise EngineUnavailableError(
                f"it was begun on a CPU, by {variant}, and only a CPU can go on with it; this is a "
                f"{self.device.type} device"
            )
        (config,) = configs
        num_lanes = int(variant.removeprefix(VECTOR_PREFIX))
        return VectorEngine(
            config, num_lanes=num_lanes, max_threads=self.num_threads, cache_dir=self.cache_dir
        )


def set_up_backend(device: torch.device, *, cache_dir: Path) -> Backend:
    """Choose the engine for ``device``; on a CPU this compiles the vector engine the first time."""
    # One per core, or OMP_NUM_THREADS; read here, since PyTorch's answer differs between threads.
    num_threads = torch.get_num_threads()
    variant = STACKED
    if device.type == "cpu":
        try:
            num_lanes = count_lanes()
            load_library(num_lanes, cache_dir=cache_dir)
            variant = f"{VECTOR_PREFIX}{num_lanes}"
        except EngineUnavailableError as error:
            logger.warning("Training by PyTorch's operators, which is slower: %s", error)
    return Backend(device=device, num_threads=num_threads, cache_dir=cache_dir, variant=variant)
