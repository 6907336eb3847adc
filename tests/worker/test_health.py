import subprocess
import sys
from pathlib import Path

import pytest

from lab.database import Database
from lab.worker_slots import claim_slot
from worker.health import main

REPOSITORY = Path(__file__).parent.parent.parent
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


def test_says_which_workers_are_alive(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with claim_slot(database), claim_slot(database):
        assert main() == 0
    assert capsys.readouterr().out == "worker-1, worker-2\n"


def test_fails_when_none_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 1
    assert capsys.readouterr().out == "no worker is alive\n"


def test_exits_with_its_answer_and_costs_no_pytorch(database: Database) -> None:
    with claim_slot(database):
        result = subprocess.run(
            [sys.executable, "-c", RUN_AND_LIST_IMPORTS],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert result.stdout == "worker-1\n0 False\n"
