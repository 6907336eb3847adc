"""``make run``: one command starts everything, shows it, survives a dead worker and stops cleanly."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.database.engine import Database
from lab.datasets.load import DATASETS
from lab.experiments.planning import ExperimentRequest, plan_experiment
from lab.queue.job_queue import JobQueue, upgrade_queue
from lab.runs.control import submit_experiment
from lab.runs.experiment_list import list_experiments
from tests.conftest import REPOSITORY
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

TIMEOUT_SECONDS = 180.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose database holds one small experiment, as a first ``make run`` would leave one."""
    database = Database(f"sqlite:///{tmp_path}/var/lab.db")
    database.upgrade()
    upgrade_queue(database)
    request = ExperimentRequest(
        name="Small", configs=[{"normalization": "batch"}], grid=None, seeds=[0], recipe={"epochs": 2}
    )
    spec = plan_experiment(request, dataset=DATASETS["digits"])
    with database.transaction() as session:
        submit_experiment(session, JobQueue(database), spec=spec, request={})
    database.close()
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """A free port, and the packages importable from any folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "LAB_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "100",
    }


@pytest.fixture
def launcher(folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The launcher on that folder; killed with its children if a test leaves it running."""
    with (folder / "screen.txt").open("wb") as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "launcher"],
            cwd=folder,
            env=environment,
            stdout=screen,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def list_children(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """The launcher's live children by module name."""
    children = {}
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if len(arguments) > 2:
            children[arguments[2].decode()] = int(pid)
    return children


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads child processes from /proc")
def test_follows_what_is_there_restarts_a_worker_and_stops_cleanly(
    launcher: subprocess.Popen[bytes], folder: Path
) -> None:
    def has_shown(text: str) -> bool:
        assert launcher.poll() is None, (folder / "screen.txt").read_text()
        return text in (folder / "screen.txt").read_text()

    wait_until(lambda: has_shown("until Ctrl-C"), timeout_seconds=TIMEOUT_SECONDS, what="the table is shown")
    screen = (folder / "screen.txt").read_text()
    assert "Small (completed)" in screen
    assert "7,940" in screen
    assert "http://127.0.0.1:" in screen
    assert "The study" not in screen

    children = list_children(launcher)
    assert set(children) == {"service", "worker"}
    os.kill(children["worker"], signal.SIGKILL)
    wait_until(
        lambda: list_children(launcher).get("worker", children["worker"]) != children["worker"],
        timeout_seconds=TIMEOUT_SECONDS,
        what="the worker is started again",
    )

    children = list_children(launcher)
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(60) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())
    database = Database(f"sqlite:///{folder}/var/lab.db")
    with database.transaction() as session:
        assert [experiment.name for experiment in list_experiments(session, limit=5)] == ["Small"]


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [("LAB_PORT", "70000", "LAB_PORT"), ("LAB_DEVICE", "cuda:77", "CUDA devices")],
)
def test_says_why_it_cannot_start(
    folder: Path, environment: dict[str, str], variable: str, value: str, sentence: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "launcher"],
        cwd=folder,
        env={**environment, variable: value},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )

    assert ended.returncode == 1
    assert sentence in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_says_when_the_port_is_taken(folder: Path, environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["LAB_PORT"])))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", "launcher"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )

    assert ended.returncode == 1
    assert ended.stdout.startswith(f"LAB_PORT: port {environment['LAB_PORT']} is already in use")
    assert not (folder / "var/log").exists()
