"""The worker as it is, on a device that fails once, in the fifth training step.

``python -m tests.worker.faulty_worker FAULT MARKER``; it has failed where the file MARKER exists.
"""

import ctypes
import sys
from pathlib import Path

import torch

from lab.datasets.load import load_dataset
from lab.experiments.configs import RunConfig
from lab.runs import queueing as run_queueing
from lab.settings import load_settings
from worker.__main__ import main
from worker.engines.interface import Batch
from worker.training import train as training
from worker.training.run_array import RunArray

FAULTY_STEP = 5


def hang() -> None:
    """Never return, and never let another thread of the interpreter run, as a lost driver call can."""
    # PyDLL, unlike CDLL, keeps the interpreter's lock.
    ctypes.PyDLL(None).sleep(1_000)


def lose_device() -> None:
    """What PyTorch raises at every call once a kernel has failed."""
    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


def run_out_of_memory() -> None:
    """What PyTorch raises when somebody else fills the device."""
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


FAULTS = {"hang": hang, "lose device": lose_device, "run out of memory": run_out_of_memory}


def warm_up() -> None:
    """Train a little: what PyTorch imports at its first step would be taken for a hang."""
    data = load_dataset("mnist", data_dir=load_settings().data_dir)
    list(training.train([RunConfig(dataset="mnist", epochs=1, schedule="constant")], data))


def break_device(fault: str, marker: Path) -> None:
    """Have the device fail at its fifth step, if it has not yet."""
    take_step = RunArray.step
    num_steps = 0

    def step(array: RunArray, batch: Batch) -> None:
        nonlocal num_steps
        num_steps += 1
        if num_steps == FAULTY_STEP and not marker.exists():
            marker.touch()
            FAULTS[fault]()
        take_step(array, batch)

    RunArray.step = step  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    run_queueing.RETRY_SECONDS = 3.0
    warm_up()
    break_device(sys.argv[1], Path(sys.argv[2]))
    sys.exit(main())
