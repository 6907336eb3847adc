import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.engine import Database
from lab.database.tables import Run
from lab.queue.job_queue import JOBS, JobQueue
from lab.queue.worker_slots import claim_slot
from lab.runs.attempts import MAX_ATTEMPTS
from lab.runs.control import cancel_experiment, pause_experiment
from lab.runs.progress import list_pending_runs, record_epoch, record_failure
from lab.runs.queueing import find_abandoned_jobs, queue_runs, requeue_jobs, retry_later
from lab.runs.records import read_metrics
from tests.lab.runs.situations import Submit, beat, finish, make_report, read_again, read_job, set_job, take

Stop = Callable[[Session, int], list[str]]

# What the queue library keeps besides what the lab reads of it.
QUEUE = sa.table(
    "workflow_status",
    sa.column("workflow_uuid", sa.String),
    sa.column("priority", sa.Integer),
    sa.column("delay_until_epoch_ms", sa.BigInteger),
)


def find_abandoned(database: Database) -> list[str]:
    with database.transaction() as session:
        return find_abandoned_jobs(session)


def requeue(database: Database, queue: JobQueue, *job_ids: str) -> None:
    with database.transaction() as session:
        requeue_jobs(session, queue, job_ids)


def retry(database: Database, queue: JobQueue, job_id: str, *, problem: str = "no memory") -> None:
    with database.transaction() as session:
        retry_later(session, queue, job_id, problem=problem)


def read_jobs(database: Database, *run_ids: int) -> list[str | None]:
    with database.transaction() as session:
        return [session.get_one(Run, run_id).job_id for run_id in run_ids]


def read_job_states(database: Database) -> dict[str, str]:
    with database.transaction() as session:
        return {row.workflow_uuid: row.status for row in session.execute(sa.select(JOBS))}


def read_priority(database: Database, job_id: str | None) -> int:
    with database.transaction() as session:
        query = sa.select(QUEUE.c.priority).where(QUEUE.c.workflow_uuid == job_id)
        return int(session.scalars(query).one())


def make_one_job(database: Database, queue: JobQueue, *run_ids: int) -> str:
    """Make one job of runs that were queued one by one, as several that train in turn are."""
    with database.transaction() as session:
        queue_runs(session, queue, [session.get_one(Run, run_id) for run_id in run_ids])
        return read_job(session, run_ids[0])


class TestAbandoned:
    def test_is_a_job_whose_worker_has_died(self, database: Database, submit: Submit) -> None:
        taken, _waiting = submit(2).runs
        with claim_slot(database) as worker_id:
            beat(database, worker_id)
            job_id = take(database, taken.id, worker_id=worker_id)
            assert find_abandoned(database) == []
        assert find_abandoned(database) == [job_id]

    @pytest.mark.parametrize(("silent_seconds", "is_abandoned"), [(10, False), (55, False), (61, True)])
    def test_is_a_job_whose_worker_has_been_silent_for_a_minute(
        self, database: Database, submit: Submit, worker: str, silent_seconds: int, is_abandoned: bool
    ) -> None:
        job_id = take(database, submit().runs[0].id, worker_id=worker)
        beat(database, worker, silent_seconds=silent_seconds)
        assert find_abandoned(database) == [job_id] * is_abandoned

    def test_is_not_a_job_that_has_merely_come_to_a_halt(
        self, database: Database, submit: Submit, worker: str
    ) -> None:
        take(database, submit().runs[0].id, worker_id=worker)
        beat(database, worker, idle_seconds=1_000)
        assert find_abandoned(database) == []

    def test_is_only_what_the_dead_worker_had(self, database: Database, submit: Submit, worker: str) -> None:
        lost, kept, done = submit(3).runs
        beat(database, "worker-7")
        take(database, kept.id, worker_id=worker)
        lost_job = take(database, lost.id, worker_id="worker-7")
        set_job(database, done.id, state="SUCCESS", worker_id="worker-7")
        assert find_abandoned(database) == [lost_job]


class TestRequeue:
    def test_gives_a_run_a_new_job_and_the_old_one_loses_it(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        (run,) = submit().runs
        old_job = take(database, run.id)
        requeue(database, queue, old_job)
        (new_job,) = read_jobs(database, run.id)
        assert new_job not in (None, old_job)
        assert read_job_states(database) == {old_job: "PENDING", new_job: "ENQUEUED"}
        with database.transaction() as session:
            record_epoch(session, run.id, job_id=old_job, report=make_report(1), is_last=True)
            record_failure(session, run.id, job_id=old_job, reason="Because.")
            assert read_metrics(session, [run.id]) == {run.id: []}
            assert list_pending_runs(session, old_job) == []
        with database.transaction() as session:
            record_epoch(session, run.id, job_id=str(new_job), report=make_report(1), is_last=False)
        again = read_again(database, run)
        assert (again.status, again.epoch, again.error) == ("queued", 1, None)

    def test_keeps_together_what_was_one_job(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        finished, *open_runs = submit(4).runs
        alone = open_runs.pop()
        together = make_one_job(database, queue, finished.id, *(run.id for run in open_runs))
        finish(database, finished.id)
        requeue(database, queue, together, str(read_jobs(database, alone.id)[0]))
        of_finished, *of_open, of_alone = read_jobs(
            database, finished.id, *(run.id for run in open_runs), alone.id
        )
        assert of_finished == together
        assert len(set(of_open)) == 1
        assert len({of_finished, of_open[0], of_alone}) == 3

    def test_goes_before_what_has_not_begun_but_not_before_a_higher_priority(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        lower, fresh, lost, higher = (submit(priority=priority).runs[0] for priority in (-1, 0, 0, 1))
        requeue(database, queue, str(read_jobs(database, lost.id)[0]))
        jobs = read_jobs(database, higher.id, lost.id, fresh.id, lower.id)
        numbers = [read_priority(database, job_id) for job_id in jobs]
        # The library takes the lowest number first.
        assert numbers == sorted(set(numbers))

    @pytest.mark.parametrize("stop", [cancel_experiment, pause_experiment])
    def test_leaves_alone_what_is_not_to_go_on(
        self, database: Database, submit: Submit, queue: JobQueue, stop: Stop
    ) -> None:
        experiment = submit()
        job_id = take(database, experiment.runs[0].id)
        with database.transaction() as session:
            stop(session, experiment.id)
        assert find_abandoned(database) == [job_id]
        requeue(database, queue, job_id)
        assert read_jobs(database, experiment.runs[0].id) == [None]
        assert read_job_states(database) == {job_id: "PENDING"}

    def test_does_nothing_the_second_time(self, database: Database, submit: Submit, queue: JobQueue) -> None:
        (run,) = submit().runs
        old_job = take(database, run.id)
        requeue(database, queue, old_job)
        jobs, states = read_jobs(database, run.id), read_job_states(database)
        requeue(database, queue, old_job, old_job)
        assert (read_jobs(database, run.id), read_job_states(database)) == (jobs, states)

    def test_discarded_jobs_are_nobodys(self, database: Database, submit: Submit, queue: JobQueue) -> None:
        (run,) = submit().runs
        old_job = take(database, run.id, worker_id="worker-7")
        requeue(database, queue, old_job)
        assert find_abandoned(database) == [old_job]
        queue.discard([old_job])
        assert find_abandoned(database) == []
        assert read_again(database, run).status == "queued"


class TestRetry:
    @pytest.mark.parametrize(
        ("num_attempts", "expected_seconds"),
        [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40)],
    )
    def test_waits_longer_after_each_attempt_that_came_no_further(
        self, database: Database, submit: Submit, queue: JobQueue, num_attempts: int, expected_seconds: float
    ) -> None:
        (run,) = submit().runs
        job_id = take(database, run.id)
        with database.transaction() as session:
            session.execute(sa.update(Run).values(num_attempts=num_attempts))
        before = time.time()
        retry(database, queue, job_id)
        after = time.time()
        (new_job,) = read_jobs(database, run.id)
        with database.transaction() as session:
            query = sa.select(QUEUE.c.delay_until_epoch_ms).where(QUEUE.c.workflow_uuid == new_job)
            due = session.scalars(query).one() / 1_000
        # The library cuts to whole milliseconds.
        assert before + expected_seconds - 0.001 <= due <= after + expected_seconds
        assert read_job_states(database) == {job_id: "PENDING", new_job: "DELAYED"}

    def test_gives_up_after_the_last_attempt(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        hopeless, other = submit(2).runs
        job_id = make_one_job(database, queue, hopeless.id, other.id)
        with database.transaction() as session:
            session.get_one(Run, hopeless.id).num_attempts = MAX_ATTEMPTS
        retry(database, queue, job_id, problem="MemoryError: none left")
        failed = read_again(database, hopeless)
        assert failed.status == "failed"
        assert failed.error == (
            "5 attempts ended without a new checkpoint; the last one: MemoryError: none left"
        )
        assert read_again(database, other).status == "queued"

    def test_keeps_the_problem_and_keeps_together_what_was_one_job(
        self, database: Database, submit: Submit, queue: JobQueue, worker: str
    ) -> None:
        first, second, other = submit(3).runs
        job_id = make_one_job(database, queue, first.id, second.id)
        retry(database, queue, job_id, problem="MemoryError: none left")
        of_first, of_second = read_jobs(database, first.id, second.id)
        assert of_first == of_second != job_id
        for run in (first, second):
            assert "MemoryError: none left" in str(read_again(database, run).stalled)
        assert read_again(database, other).stalled is None

    def test_of_a_job_that_has_lost_its_runs_does_nothing(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        experiment = submit()
        job_id = take(database, experiment.runs[0].id)
        with database.transaction() as session:
            cancel_experiment(session, experiment.id)
        retry(database, queue, job_id)
        assert read_jobs(database, experiment.runs[0].id) == [None]
        assert read_job_states(database) == {job_id: "PENDING"}
