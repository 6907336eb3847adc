"""Data small enough to train on in a blink, and a bench to train on it."""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from lab.database.engine import Database
from lab.datasets.load import Dataset, ImageSet
from lab.queue.job_queue import JobQueue
from tests.warm import WarmProcess
from tests.worker.bench import Bench

StartWorker = Callable[..., WarmProcess]


@pytest.fixture(scope="session")
def tiny(digits: Dataset) -> Dataset:
    """The first 96 training and 40 test images of the digits."""
    return Dataset(
        info=digits.info,
        train=ImageSet(digits.train.images[:96], digits.train.labels[:96]),
        test=ImageSet(digits.test.images[:40], digits.test.labels[:40]),
    )


@pytest.fixture(scope="session")
def tiny_mnist_dir(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose MNIST is the tiny data set."""
    folder = tmp_path_factory.mktemp("data")
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem, part in (("train", tiny.train), ("t10k", tiny.test)):
        write_idx(raw / f"{stem}-images-idx3-ubyte", 2051, part.images)
        write_idx(raw / f"{stem}-labels-idx1-ubyte", 2049, part.labels.to(torch.uint8))
    return folder


def write_idx(path: Path, magic: int, values: torch.Tensor) -> None:
    header = struct.pack(f">{1 + values.dim()}I", magic, *values.shape)
    path.write_bytes(header + values.numpy().tobytes())


@pytest.fixture
def bench(database: Database, tiny_mnist_dir: Path) -> Iterator[Bench]:
    """A bench on the test's own database."""
    queue = JobQueue(database)
    yield Bench(database=database, queue=queue, data_dir=tiny_mnist_dir)
    queue.close()


@pytest.fixture
def start_worker(bench: Bench, tmp_path: Path) -> Iterator[StartWorker]:
    """Start a real worker that meets ``fault`` once; its log is worker.log. It is gone when the test is."""
    environment = {
        **os.environ,
        "LAB_DATABASE_URL": str(bench.database.url),
        "LAB_DATA_DIR": str(bench.data_dir),
        "LAB_DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",
    }
    with ExitStack() as processes:

        def start(fault: str, *, hang_timeout_seconds: float = 300.0) -> WarmProcess:
            process = WarmProcess(
                "tests.worker.faulty_worker",
                fault,
                str(tmp_path / "has failed"),
                environment={**environment, "LAB_HANG_TIMEOUT_SECONDS": str(hang_timeout_seconds)},
                log_path=tmp_path / "worker.log",
            )
            processes.callback(process.wait)
            processes.callback(process.kill)
            return process

        yield start
