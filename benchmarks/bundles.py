"""Our side of the training benchmarks: arrays of runs that take steps, and pictures to take them on."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import torch

from lab.datasets.load import Dataset, DatasetInfo, ImageSet, find_dataset, load_dataset
from lab.experiments.configs import RunConfig
from worker.devices import choose_device
from worker.engines.variants import Backend, set_up_backend
from worker.training.run_array import RunArray


def open_backend(setting: str) -> Backend:
    """The backend of a worker with LAB_DEVICE of this setting."""
    return set_up_backend(choose_device(setting), cache_dir=Path("var/cache"))


def imitate_mnist(device: torch.device, *, share: float = 1.0) -> Dataset:
    """Repeat the embedded digits until there are as many as in MNIST; speed ignores content."""
    digits = load_dataset("digits", data_dir=Path())
    info: DatasetInfo = find_dataset("mnist")
    return Dataset(
        info=info,
        train=_repeat(digits.train, round(info.train_size * share)),
        test=_repeat(digits.test, round(info.test_size * share)),
    ).to(device)


def _repeat(image_set: ImageSet, size: int) -> ImageSet:
    indices = torch.arange(size) % len(image_set)
    return ImageSet(image_set.images[indices], image_set.labels[indices])


class Bundle:
    """Runs that take steps together as ``train`` has them: fused on a GPU, in lanes on a CPU."""

    def __init__(self, configs: Sequence[RunConfig], data: Dataset, *, backend: Backend) -> None:
        is_fused = backend.is_fusing(backend.variant)
        groups = [list(configs)] if is_fused else [[config] for config in configs]
        self._arrays = [
            RunArray(
                list(enumerate(group)),
                data,
                engine=backend.build_engine(backend.variant, group),
                variant=backend.variant,
                states=[None] * len(group),
            )
            for group in groups
        ]
        self._backend = backend

    def train_steps(self, num_steps: int) -> None:
        """Each run takes so many steps."""
        num_lanes = min(self._backend.num_lanes, len(self._arrays))
        num_threads = max(1, self._backend.num_threads // num_lanes)

        def work(index: int) -> None:
            array = self._arrays[index]
            array.use_threads(num_threads)
            # The step is taken when the next one is asked for.
            for _ in islice(array.take_steps(), num_steps + 1):
                pass

        with ThreadPoolExecutor(num_lanes) as lanes:
            list(lanes.map(work, range(len(self._arrays))))
        torch.set_num_threads(self._backend.num_threads)
