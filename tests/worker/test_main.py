import signal
from collections.abc import Iterator

import pytest
import torch

from lab.database.engine import Database
from tests.waiting import wait_until
from tests.worker.bench import Bench
from tests.worker.conftest import StartWorker
from worker.__main__ import main

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def process_state() -> Iterator[None]:
    """``main`` owns its process; give it back to the tests as it was."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    torch.use_deterministic_algorithms(deterministic)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("LAB_DEVICE", "tpu", "worker: LAB_DEVICE: "),
        ("LAB_DEVICE", "cuda:99", "worker: LAB_DEVICE is cuda:99, but this machine has "),
        ("LAB_DATABASE_URL", "mysql://db/lab", "worker: LAB_DATABASE_URL starts with mysql://"),
    ],
)
def test_settings_that_cannot_be_are_a_sentence_and_no_traceback(
    variable: str,
    value: str,
    sentence: str,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LAB_DATABASE_URL", str(database.url))
    monkeypatch.setenv(variable, value)
    assert main() == 2
    assert capsys.readouterr().err.startswith(sentence)


def test_newer_database_is_a_sentence_too(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    monkeypatch.setenv("LAB_DATABASE_URL", str(database.url))
    monkeypatch.setenv("LAB_DEVICE", "cpu")
    assert main() == 2
    assert "was written by a newer version of this software" in capsys.readouterr().err


def test_worker_that_loses_its_device_ends_and_the_next_goes_on_bit_for_bit(
    bench: Bench, start_worker: StartWorker
) -> None:
    experiment = bench.submit({"l1": 1e-4}, {"l1": 1e-4})

    assert start_worker("lose device").wait(120) == 1
    # It has let go of the run by itself: whoever is there may train it.
    waiting = bench.read(experiment.id)
    assert [(run.status, run.epoch) for run in waiting.runs] == [("queued", 1), ("queued", 0)]

    restarted = start_worker("lose device")
    wait_until(lambda: bench.read(experiment.id).status == "completed", timeout_seconds=120, what="both runs")
    restarted.terminate()
    assert restarted.wait(60) == 0
    interrupted, whole = experiment.runs
    assert bench.read_result(interrupted) == bench.read_result(whole)


def test_worker_out_of_memory_trains_the_next_run_and_then_that_one_bit_for_bit(
    bench: Bench, start_worker: StartWorker
) -> None:
    experiment = bench.submit({"l1": 1e-4}, {"l1": 1e-4})
    worker = start_worker("run out of memory")
    wait_until(lambda: bench.read(experiment.id).status == "completed", timeout_seconds=120, what="both runs")
    assert worker.poll() is None
    interrupted, whole = bench.read(experiment.id).runs
    assert interrupted.finished_at is not None
    assert whole.finished_at is not None
    assert interrupted.finished_at > whole.finished_at
    assert bench.read_result(interrupted) == bench.read_result(whole)
