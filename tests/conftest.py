"""Shared fixtures: a fresh database, settings on it, the real MNIST where it is available."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from lab.database.engine import Database
from lab.datasets.load import DATASETS, Dataset, is_present, load_dataset
from lab.queue.job_queue import upgrade_queue
from lab.settings import Settings

if TYPE_CHECKING:
    from tests.processes import Processes

# Threads of one training spin while they wait for each other, and starve whatever else runs beside the tests.
torch.set_num_threads(1)

REPOSITORY = Path(__file__).parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
# Compiling the vector engine takes seconds: the tests keep what they compile, and the compiler its own cache.
CACHE_DIR = REPOSITORY / "var" / "cache"
# A database that syncs to a real disk spends half of its test waiting; in memory it does the same work.
if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/dev/shm")
os.environ["ZIG_GLOBAL_CACHE_DIR"] = str(CACHE_DIR / "zig")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow files first, so that no process is left with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Leave what importing has made out of garbage collection: nothing of it is ever freed."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let the interpreter free it all at the end."""
    gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def collect_garbage() -> Iterator[None]:
    """Free the figures of each file: matplotlib's reference cycles keep hundreds of megabytes alive."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No LAB_… variable and no .env of the developer's reaches a test."""
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    for name in list(os.environ):
        if name.startswith("LAB_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file without a row, to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "lab.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    upgrade_queue(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture
def settings(tmp_path: Path, empty_database: Path) -> Settings:
    """Settings on a database and a data folder of the test's own; new experiments default to digits."""
    shutil.copy(empty_database, tmp_path / "lab.db")
    return Settings(
        database_url=f"sqlite:///{tmp_path}/lab.db",
        data_dir=tmp_path / "data",
        device="cpu",
        default_dataset="digits",
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A fresh, migrated database file."""
    database = Database(settings.database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The embedded digits."""
    return load_dataset("digits", data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder that holds MNIST, or a skip that says where it was looked for."""
    if not is_present(DATASETS["mnist"], data_dir=SHARED_DATA):
        pytest.skip(f"MNIST is not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def processes(tmp_path: Path) -> Iterator["Processes"]:
    """Service and worker started at once on an empty folder, as ``make run`` does."""
    from tests.processes import run_lab

    with run_lab(tmp_path) as processes:
        yield processes
