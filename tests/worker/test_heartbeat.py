import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from lab.database.tables import Run, Worker
from lab.queue.job_queue import JOBS
from lab.queue.worker_slots import claim_slot
from lab.queue.workers import ABANDONED_SECONDS, SILENT_SECONDS, read_workforce, record_heartbeat
from lab.runs.records import RunRecord
from tests.lab.runs.situations import make_signs
from tests.waiting import wait_until
from tests.worker.bench import Bench, CalledOff, Disk
from worker import heartbeat as heartbeat_module
from worker.heartbeat import Heartbeat
from worker.jobs import Trainer

MakeHeartbeat = Callable[..., Heartbeat]


@pytest.fixture(autouse=True)
def slow_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    """No beat but the test's own, unless it says otherwise."""
    monkeypatch.setattr(heartbeat_module, "HEARTBEAT_SECONDS", 3_600.0)


@pytest.fixture
def my_slot(bench: Bench) -> Iterator[str]:
    """The slot of the worker that is looked after."""
    with claim_slot(bench.database) as worker_id:
        assert worker_id == "worker-1"
        yield worker_id


@pytest.fixture
def make_heartbeat(bench: Bench, my_slot: str) -> MakeHeartbeat:
    """Make the heartbeat of worker-1."""

    def make(trainer: Trainer | None = None) -> Heartbeat:
        return Heartbeat(
            bench.database,
            bench.queue,
            worker_id=my_slot,
            trainer=trainer or bench.make_trainer(),
        )

    return make


def hold(bench: Bench, run: RunRecord, worker_id: str) -> str:
    """Have the worker hold the run's job, as if it had taken it off the queue; give the job's id."""
    job_id = str(bench.read_row(run).job_id)
    with bench.database.transaction() as session:
        taken = {"status": "PENDING", "executor_id": worker_id}
        session.execute(sa.update(JOBS).where(JOBS.c.workflow_uuid == job_id).values(taken))
    return job_id


def read_state(bench: Bench, job_id: str | None) -> str | None:
    with bench.database.transaction() as session:
        return session.scalar(sa.select(JOBS.c.status).where(JOBS.c.workflow_uuid == job_id))


def is_queued_again(bench: Bench, run: RunRecord, job_id: str) -> bool:
    """Whether the run has a new job in the queue and nobody has the old one; if not, all is as it was."""
    new_job_id = bench.read_row(run).job_id
    if new_job_id == job_id:
        assert read_state(bench, job_id) == "PENDING"
        return False
    assert read_state(bench, new_job_id) == "ENQUEUED"
    assert read_state(bench, job_id) in (None, "CANCELLED")
    return True


class TestHeartbeat:
    def test_tells_that_the_worker_lives_and_how_long_its_job_has_not_moved(
        self, bench: Bench, make_heartbeat: MakeHeartbeat
    ) -> None:
        trainer = bench.make_trainer()
        heartbeat = make_heartbeat(trainer)
        heartbeat.beat()
        with bench.database.transaction() as session:
            (worker,) = read_workforce(session).workers.values()
        assert (worker.id, worker.device, worker.is_alive) == (
            "worker-1",
            trainer.backend.description,
            True,
        )
        assert (worker.idle_seconds, worker.bundle_size) == (None, trainer.backend.bundle_size)

        with trainer.watchdog.watch_job():
            heartbeat.beat()
        with bench.database.transaction() as session:
            (worker,) = read_workforce(session).workers.values()
        assert worker.idle_seconds is not None

    def test_goes_on_by_itself_and_survives_a_lost_database(
        self,
        bench: Bench,
        make_heartbeat: MakeHeartbeat,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(heartbeat_module, "HEARTBEAT_SECONDS", 0.01)
        disk = Disk(bench.database)
        with make_heartbeat():
            heard_at = read_heard_at(bench)
            wait_until(lambda: read_heard_at(bench) > heard_at, timeout_seconds=60, what="a second beat")
            disk.fail("read-only")
            words = f"heartbeat cannot be recorded: {Disk.FAULTS['read-only'][1]}"
            wait_until(lambda: caplog.text.count(words) > 1, timeout_seconds=60, what="beats that fail")
            disk.repair()
            heard_at = read_heard_at(bench)
            wait_until(lambda: read_heard_at(bench) > heard_at, timeout_seconds=60, what="a beat after")


class TestAbandonedJobs:
    def test_job_of_a_dead_worker_is_queued_again(self, bench: Bench, make_heartbeat: MakeHeartbeat) -> None:
        (run,) = bench.submit({}).runs
        job_id = hold(bench, run, "worker-2")
        beat_as(bench, "worker-2")
        make_heartbeat().beat()
        assert is_queued_again(bench, run, job_id)

    @pytest.mark.parametrize(
        ("silent_seconds", "is_abandoned"),
        [(0.0, False), (SILENT_SECONDS + 1, False), (ABANDONED_SECONDS + 1, True)],
    )
    def test_job_of_another_process_that_is_there_is_its_own_until_it_is_silent_for_long(
        self, bench: Bench, make_heartbeat: MakeHeartbeat, silent_seconds: float, is_abandoned: bool
    ) -> None:
        (run,) = bench.submit({}).runs
        with claim_slot(bench.database) as worker_id:
            job_id = hold(bench, run, worker_id)
            beat_as(bench, worker_id)
            with bench.database.transaction() as session:
                then = Worker.heard_at_seconds - silent_seconds
                session.execute(sa.update(Worker).values(heard_at_seconds=then))
            make_heartbeat().beat()
        assert worker_id == "worker-2"
        assert is_queued_again(bench, run, job_id) is is_abandoned

    def test_job_of_its_own_that_is_not_at_hand_is_queued_again_at_the_second_beat(
        self, bench: Bench, make_heartbeat: MakeHeartbeat
    ) -> None:
        (run,) = bench.submit({}).runs
        job_id = hold(bench, run, "worker-1")
        heartbeat = make_heartbeat()
        heartbeat.beat()
        assert not is_queued_again(bench, run, job_id)
        heartbeat.beat()
        assert is_queued_again(bench, run, job_id)

    def test_job_at_hand_is_left_alone(self, bench: Bench, make_heartbeat: MakeHeartbeat) -> None:
        experiment = bench.submit({})
        (run,) = experiment.runs
        job_id = hold(bench, run, "worker-1")

        def beat_often() -> None:
            for _ in range(3):
                heartbeat.beat()
            assert not is_queued_again(bench, run, job_id)

        trainer = bench.make_trainer(stop=CalledOff(2, beat_often))
        heartbeat = make_heartbeat(trainer)
        heartbeat.beat()
        trainer.perform(job_id)
        assert bench.read(experiment.id).status == "completed"
        assert bench.read_row(run).job_id == job_id

    def test_nothing_is_queued_again_that_waits_or_is_done(
        self, bench: Bench, make_heartbeat: MakeHeartbeat
    ) -> None:
        waiting, done, cancelled = bench.submit({}, {}, {}).runs
        job_ids = [str(bench.read_row(run).job_id) for run in (waiting, done)]
        bench.perform([done])
        for run in (done, cancelled):
            hold(bench, run, "worker-2")
        with bench.database.transaction() as session:
            session.execute(sa.update(Run).where(Run.id == cancelled.id).values(job_id=None))
        make_heartbeat().beat()
        assert [bench.read_row(run).job_id for run in (waiting, done, cancelled)] == [*job_ids, None]
        assert read_state(bench, job_ids[0]) == "ENQUEUED"


class TestStartAndEnd:
    def test_start_takes_over_what_a_dead_worker_of_the_same_id_held(
        self, bench: Bench, make_heartbeat: MakeHeartbeat
    ) -> None:
        (run,) = bench.submit({}).runs
        job_id = hold(bench, run, "worker-1")
        with make_heartbeat():
            assert is_queued_again(bench, run, job_id)
            assert read_heard_at(bench) > 0

    def test_end_queues_again_what_was_laid_down(self, bench: Bench, make_heartbeat: MakeHeartbeat) -> None:
        (run,) = bench.submit({}).runs
        with make_heartbeat():
            job_id = hold(bench, run, "worker-1")
        assert is_queued_again(bench, run, job_id)

    def test_end_without_a_database_leaves_the_job_to_the_next_start(
        self, bench: Bench, make_heartbeat: MakeHeartbeat
    ) -> None:
        (run,) = bench.submit({}).runs
        disk = Disk(bench.database)
        with make_heartbeat():
            job_id = hold(bench, run, "worker-1")
            disk.fail("read-only")
        disk.repair()
        assert not is_queued_again(bench, run, job_id)
        with make_heartbeat():
            assert is_queued_again(bench, run, job_id)

    def test_end_ends_the_thread(self, make_heartbeat: MakeHeartbeat) -> None:
        def list_threads() -> list[str]:
            return [thread.name for thread in threading.enumerate() if thread.name == "heartbeat"]

        with make_heartbeat():
            assert list_threads() == ["heartbeat"]
        assert list_threads() == []


def beat_as(bench: Bench, worker_id: str) -> None:
    with bench.database.transaction() as session:
        record_heartbeat(session, worker_id, signs=make_signs())


def read_heard_at(bench: Bench) -> float:
    with bench.database.transaction() as session:
        return session.scalars(sa.select(Worker.heard_at_seconds)).one()


class TestSlot:
    def test_a_worker_whose_slot_is_gone_ends_and_takes_no_jobs(
        self, bench: Bench, make_heartbeat: MakeHeartbeat
    ) -> None:
        (run,) = bench.submit({}).runs
        stop = threading.Event()
        heartbeat = make_heartbeat(bench.make_trainer(stop=stop))
        heartbeat.beat()
        hold(bench, run, "worker-9")
        held_by_nobody = bench.read_row(run).job_id
        for path in Path(str(bench.database.url.database)).parent.glob("*worker-1.lock"):
            path.unlink()

        heartbeat.beat()

        assert heartbeat.is_slot_lost
        assert stop.is_set()
        assert bench.read_row(run).job_id == held_by_nobody
