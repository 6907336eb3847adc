"""What may pass costs a run time and nothing else: a lost database, too little memory, a lost device."""

import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
import torch

from lab.queue.job_queue import StopWork
from lab.runs.attempts import MAX_ATTEMPTS
from lab.runs.queueing import RETRY_SECONDS
from lab.runs.records import RunRecord
from tests.worker.bench import STEPS_PER_EPOCH, Bench, CalledOff, Disk, break_steps
from worker import jobs
from worker.engines.compilation import EngineUnavailableError
from worker.engines.variants import Backend
from worker.training import run_array

pytestmark = pytest.mark.slow

RECIPE = {"dropout": 0.1, "schedule": "onecycle", "l1": 1e-4, "validation_size": 16}
# Before each step, and before the one batch of each of three sets.
ASKED_PER_EPOCH = STEPS_PER_EPOCH + 3


class Outage(CalledOff):
    """A stop that is never set: asked ``calls`` times, the disk fails; waited for three times, it works."""

    def __init__(self, disk: Disk, fault: str, *, calls: int) -> None:
        super().__init__(calls, lambda: disk.fail(fault))
        self.num_waits = 0
        self._disk = disk

    def wait(self, timeout: float | None = None) -> bool:
        self.num_waits += 1
        if self.num_waits == 3:
            self._disk.repair()
        return super().wait(timeout)


class TestLostDatabase:
    @pytest.fixture(autouse=True)
    def impatience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Attempts to reach the database follow each other at once."""
        monkeypatch.setattr(jobs, "DATABASE_RETRY_SECONDS", (0.001, 0.002))

    @pytest.fixture
    def disk(self, bench: Bench) -> Disk:
        """The disk under the bench's database."""
        return Disk(bench.database)

    @pytest.mark.parametrize(
        ("fault", "calls"),
        [
            ("full", 0),
            ("full", ASKED_PER_EPOCH - 1),
            ("read-only", 0),
            ("read-only", ASKED_PER_EPOCH),
            ("read-only", 2 * ASKED_PER_EPOCH - 1),
        ],
    )
    def test_costs_not_one_bit(
        self, bench: Bench, disk: Disk, fault: str, calls: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        whole, troubled = bench.submit(RECIPE, RECIPE).runs
        bench.perform([whole])
        outage = Outage(disk, fault, calls=calls)

        bench.perform([troubled], stop=outage)

        assert outage.num_waits == 3
        assert caplog.text.count(f"The database cannot be used ({Disk.FAULTS[fault][1]})") == 3
        assert bench.read_result(troubled) == bench.read_result(whole)

    def test_is_waited_for_before_the_first_step_too_and_not_taken_for_a_hang(
        self, bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        experiment = bench.submit(RECIPE)
        job_id = str(bench.read_row(experiment.runs[0]).job_id)
        outage = Outage(disk, "read-only", calls=-1)
        trainer = bench.make_trainer(stop=outage)
        waits_when_kept_alive: set[int] = set()
        keep_alive = trainer.watchdog.keep_alive

        def note_and_keep_alive() -> None:
            waits_when_kept_alive.add(outage.num_waits)
            keep_alive()

        monkeypatch.setattr(trainer.watchdog, "keep_alive", note_and_keep_alive)
        disk.fail("read-only")
        trainer.perform(job_id)

        assert outage.num_waits == 3
        # Before each wait.
        assert waits_when_kept_alive >= {0, 1, 2}
        assert bench.read(experiment.id).status == "completed"

    def test_does_not_keep_the_worker_from_stopping(self, bench: Bench, disk: Disk) -> None:
        whole, troubled = bench.submit(RECIPE, RECIPE).runs
        bench.perform([whole])

        def fail_and_stop() -> None:
            disk.fail("read-only")
            stop.set()

        stop = CalledOff(ASKED_PER_EPOCH + 2, fail_and_stop)
        with pytest.raises(StopWork):
            bench.perform([troubled], stop=stop)

        disk.repair()
        assert len(bench.read_figures(troubled)) == 1
        bench.perform([troubled])
        assert bench.read_result(troubled) == bench.read_result(whole)


def ask_for_too_much() -> Exception:
    """What PyTorch really raises when the CPU's memory is out: an error without a class of its own."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 58, dtype=torch.uint8)
    return raised.value


class TestOutOfMemory:
    @pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, ask_for_too_much])
    def test_run_is_tried_again_later_and_completes_bit_for_bit(
        self, bench: Bench, error: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, troubled = bench.submit(RECIPE, RECIPE).runs
        bench.perform([whole])
        # In the second epoch.
        break_steps(monkeypatch, error, is_broken=lambda number: number == STEPS_PER_EPOCH + 2)
        first_job = bench.read_row(troubled).job_id

        begun_at = time.time()
        bench.perform([troubled])

        (_, waiting) = bench.read(troubled.experiment_id).runs
        assert (waiting.status, waiting.epoch, waiting.error) == ("queued", 1, None)
        state, due_at = read_waiting_job(bench, troubled)
        assert state == "DELAYED"
        assert due_at > begun_at
        assert bench.read_row(troubled).job_id != first_job
        bench.perform([troubled])
        assert bench.read_result(troubled) == bench.read_result(whole)

    def test_run_that_comes_no_further_waits_longer_and_longer_and_fails_at_last(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        experiment = bench.submit({})
        words = "CUDA out of memory. Tried to allocate 2 GiB."
        break_steps(monkeypatch, lambda: torch.OutOfMemoryError(words), is_broken=lambda _: True)

        for attempt in range(MAX_ATTEMPTS - 1):
            earliest = time.time() + RETRY_SECONDS * 2**attempt
            bench.perform(experiment.runs)
            latest = time.time() + RETRY_SECONDS * 2**attempt
            _, due_at = read_waiting_job(bench, experiment.runs[0])
            # The queue counts in whole milliseconds.
            assert earliest - 0.001 <= due_at <= latest
        bench.perform(experiment.runs)

        (run,) = bench.read(experiment.id).runs
        assert run.status == "failed"
        assert str(run.error).startswith(f"{MAX_ATTEMPTS} attempts ended without a new checkpoint")
        assert str(run.error).endswith(words)

    def test_run_that_comes_further_each_time_is_not_given_up(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, troubled = bench.submit(RECIPE, RECIPE).runs
        bench.perform([whole])
        monkeypatch.setattr(run_array, "CHECKPOINT_SECONDS", -1.0)
        break_steps(monkeypatch, MemoryError, is_broken=lambda number: number % 2 == 0)

        num_attempts = count_attempts(bench, troubled)

        assert num_attempts > MAX_ATTEMPTS
        assert bench.read_result(troubled) == bench.read_result(whole)

    def test_only_what_is_left_of_a_job_is_tried_again(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        experiment = bench.submit({"epochs": 1}, {"epochs": 2})
        break_steps(monkeypatch, MemoryError, is_broken=lambda number: number == 2 * STEPS_PER_EPOCH + 1)

        bench.perform(experiment.runs)

        done, waiting = bench.read(experiment.id).runs
        assert (done.status, done.epoch) == ("completed", 1)
        assert (waiting.status, waiting.epoch) == ("queued", 1)
        assert bench.read_row(done).job_id != bench.read_row(waiting).job_id


class TestMissingEngine:
    def test_run_waits_for_a_worker_that_has_it_and_completes_bit_for_bit(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, troubled = bench.submit(RECIPE, RECIPE).runs
        bench.perform([whole])

        def refuse(*_: object) -> None:
            raise EngineUnavailableError("it was begun on a CPU, and this is cuda")

        with monkeypatch.context() as gpu:
            gpu.setattr(Backend, "build_engine", refuse)
            bench.perform([troubled])

        assert read_waiting_job(bench, troubled)[0] == "DELAYED"
        assert bench.read_row(troubled).last_problem == "it was begun on a CPU, and this is cuda"
        bench.perform([troubled])
        assert bench.read_result(troubled) == bench.read_result(whole)


class TestLostDevice:
    def test_worker_stops_and_another_goes_on_bit_for_bit(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, troubled = bench.submit(RECIPE, RECIPE).runs
        bench.perform([whole])
        break_steps(monkeypatch, lose_device, is_broken=lambda number: number == STEPS_PER_EPOCH + 2)
        stop = CalledOff(-1)
        trainer = bench.make_trainer(stop=stop)

        with pytest.raises(StopWork):
            trainer.perform(str(bench.read_row(troubled).job_id))

        assert trainer.is_device_lost
        assert stop.is_set()
        (_, laid_down) = bench.read(troubled.experiment_id).runs
        assert (laid_down.status, laid_down.epoch, laid_down.error) == ("queued", 1, None)
        bench.perform([troubled])
        assert bench.read_result(troubled) == bench.read_result(whole)

    def test_run_that_loses_every_device_fails_at_last(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        experiment = bench.submit({})
        break_steps(monkeypatch, lose_device, is_broken=lambda _: True)

        for _ in range(MAX_ATTEMPTS):
            with pytest.raises(StopWork):
                bench.perform(experiment.runs)
            assert bench.read(experiment.id).status == "queued"
        bench.perform(experiment.runs)

        (run,) = bench.read(experiment.id).runs
        assert run.status == "failed"
        assert str(run.error).startswith(f"{MAX_ATTEMPTS} attempts ended without a new checkpoint")


def lose_device() -> Exception:
    return torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


def read_waiting_job(bench: Bench, run: RunRecord) -> tuple[str, float]:
    """The state of the run's job in the queue's own table, and when it is due, in seconds since 1970."""
    query = "SELECT status, delay_until_epoch_ms FROM workflow_status WHERE workflow_uuid = :job_id"
    with bench.database.transaction() as session:
        row = session.execute(sa.text(query), {"job_id": bench.read_row(run).job_id}).one()
    return row.status, row.delay_until_epoch_ms / 1000


def count_attempts(bench: Bench, run: RunRecord) -> int:
    """Perform the run's jobs until it has finished; how many it took."""
    num_attempts = 0
    while bench.read_row(run).finished_at is None:
        num_attempts += 1
        assert num_attempts < 50, "the run comes no further"
        bench.perform([run])
    return num_attempts
