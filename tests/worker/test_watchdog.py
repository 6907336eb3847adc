"""A job that hangs ends its process, whatever it hangs in; one that moves, or is done, does not."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import REPOSITORY
from tests.waiting import wait_until
from tests.worker.bench import Bench
from tests.worker.conftest import StartWorker
from worker import watchdog as watchdog
from worker.watchdog import Watchdog

pytestmark = pytest.mark.slow

# Of processes that watch nothing but themselves.
TIMEOUT_SECONDS = 1.5
# Of a worker on a busy machine.
WORKER_TIMEOUT_SECONDS = 10.0

BEGIN = f"""
import ctypes, select, sys, threading
from worker.watchdog import Watchdog

watch = Watchdog(timeout_seconds={TIMEOUT_SECONDS})

def is_told_to_end():
    return bool(select.select([sys.stdin], [], [], 0.01)[0])
"""
WAIT_FOR_EVER = """
with watch.watch_job():
    watch.step()
    threading.Event().wait()
"""
HOLD_THE_INTERPRETER = """
with watch.watch_job():
    watch.step()
    ctypes.PyDLL(None).sleep(1_000)
"""
MOVE = """
with watch.watch_job():
    print("moving", flush=True)
    while not is_told_to_end():
        watch.step()
"""
WAIT_FOR_SOMETHING_ELSE = """
with watch.watch_job():
    print("waiting", flush=True)
    while not is_told_to_end():
        watch.keep_alive()
"""
BE_DONE = """
with watch.watch_job():
    watch.step()
print("done", flush=True)
while not is_told_to_end():
    pass
"""
FAIL = """
try:
    with watch.watch_job():
        raise ZeroDivisionError
except ZeroDivisionError:
    print("failed", flush=True)
while not is_told_to_end():
    pass
"""

StartScript = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start_script() -> Iterator[StartScript]:
    """Start processes that watch over a job of theirs; they are gone when the test is."""
    with ExitStack() as processes:

        def start(script: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", BEGIN + script],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            processes.callback(process.communicate)
            processes.callback(process.kill)
            return process

        yield start


class TestAlarm:
    @pytest.mark.parametrize("script", [WAIT_FOR_EVER, HOLD_THE_INTERPRETER], ids=["waiting", "holding"])
    def test_hanging_job_ends_its_process_with_a_traceback(
        self, start_script: StartScript, script: str
    ) -> None:
        process = start_script(script)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "Timeout" in log
        assert '"<string>"' in log

    def test_job_that_moves_waits_or_has_ended_outlives_one_that_hangs(
        self, start_script: StartScript
    ) -> None:
        living = [start_script(script) for script in (MOVE, WAIT_FOR_SOMETHING_ELSE, BE_DONE, FAIL)]
        words = [process.stdout.readline() for process in living if process.stdout]
        assert words == ["moving\n", "waiting\n", "done\n", "failed\n"]

        # It sets its alarm after theirs were due for the first time, or cancelled: the measure of the time.
        start_script(HOLD_THE_INTERPRETER).communicate(timeout=60)

        for process in living:
            _, log = process.communicate("end\n", timeout=60)
            assert (process.returncode, log) == (0, "")

    def test_hung_worker_ends_and_the_next_goes_on_bit_for_bit(
        self, bench: Bench, start_worker: StartWorker, tmp_path: Path
    ) -> None:
        experiment = bench.submit({"l1": 1e-4}, {"l1": 1e-4})

        hung = start_worker("hang", hang_timeout_seconds=WORKER_TIMEOUT_SECONDS)
        assert hung.wait(120) == 1
        log = (tmp_path / "worker.log").read_text()
        assert "Timeout" in log
        assert "in hang\n" in log
        assert bench.read(experiment.id).runs[0].epoch == 1

        restarted = start_worker("hang")
        wait_until(
            lambda: bench.read(experiment.id).status == "completed", timeout_seconds=120, what="both runs"
        )
        restarted.terminate()
        assert restarted.wait(60) == 0
        interrupted, whole = experiment.runs
        assert bench.read_result(interrupted) == bench.read_result(whole)


class TestIdleSeconds:
    def test_is_none_without_a_job(self) -> None:
        watch = Watchdog(timeout_seconds=300)
        assert watch.idle_seconds is None
        with watch.watch_job():
            assert watch.idle_seconds is not None
        assert watch.idle_seconds is None

    def test_grows_until_the_next_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = SimpleNamespace(seconds=1_000.0)
        monkeypatch.setattr(watchdog, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
        watch = Watchdog(timeout_seconds=300)
        with watch.watch_job():
            clock.seconds += 40
            assert watch.idle_seconds == 40
            watch.keep_alive()
            assert watch.idle_seconds == 40
            watch.step()
            assert watch.idle_seconds == 0
