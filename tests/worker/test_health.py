import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.database.engine import Database
from lab.queue.worker_slots import claim_slot
from lab.queue.workers import SILENT_SECONDS
from tests.conftest import REPOSITORY
from tests.lab.runs.situations import beat
from worker.health import main

pytestmark = pytest.mark.slow

RUN_AND_LIST_IMPORTS = """
import runpy, sys
try:
    runpy.run_module("worker.health", run_name="__main__")
except SystemExit as end:
    print(end.code, "torch" in sys.modules)
"""


@pytest.fixture(autouse=True)
def database_url(database: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test's database, told as the processes are told."""
    monkeypatch.setenv("LAB_DATABASE_URL", str(database.url))
    return str(database.url)


@contextmanager
def work(database: Database) -> Iterator[str]:
    """A worker that has been heard of and holds its slot while the block runs; its id."""
    with claim_slot(database) as worker_id:
        # In an hour's time, so that a slow machine does not take it for silent meanwhile.
        beat(database, worker_id, silent_seconds=-3_600)
        yield worker_id


def test_says_which_workers_are_alive(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with work(database), work(database):
        assert main() == 0
    assert capsys.readouterr().out == "worker-1, worker-2\n"


def test_fails_when_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 1
    assert capsys.readouterr().out == "no worker is alive\n"


def test_fails_when_the_only_one_has_died(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with work(database):
        pass
    assert main() == 1
    assert capsys.readouterr().out == "no worker is alive\n"


def test_fails_when_none_is_heard_of_any_more(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with work(database) as worker_id:
        beat(database, worker_id, silent_seconds=SILENT_SECONDS + 1)
        assert main() == 1
    assert capsys.readouterr().out == "no worker is alive\n"


def test_slot_of_a_worker_that_was_never_heard_of_is_no_sign_of_life(database: Database) -> None:
    with claim_slot(database):
        assert main() == 1


def test_exits_with_its_answer_and_costs_no_pytorch(database: Database) -> None:
    with work(database):
        result = subprocess.run(
            [sys.executable, "-c", RUN_AND_LIST_IMPORTS],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert result.stdout == "worker-1\n0 False\n"
