import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from lab.database.engine import Database
from lab.database.tables import Run
from lab.queue.job_queue import JOBS, JobQueue, upgrade_queue
from lab.runs.attempts import MAX_ATTEMPTS, begin_attempt
from lab.runs.control import pause_experiment, resume_experiment
from lab.runs.queueing import retry_later
from lab.runs.records import ExperimentRecord, RunRecord, read_run
from tests.lab.queue.queue_worker import work
from tests.lab.runs.situations import Submit, read_job, set_job, take
from tests.warm import start_warm

pytestmark = pytest.mark.slow


class WorkerProcess:
    """A worker of the test's own, and the jobs it has told of; it waits for ``serve``."""

    def __init__(self, database: Database, *, behaviour: str) -> None:
        self._channel, other_end = multiprocessing.Pipe()
        self._process = start_warm(work, str(database.url), behaviour, other_end)
        other_end.close()

    def serve(self) -> None:
        """Have it claim its slot and take jobs."""
        self._channel.send("serve")

    def wait_for_job(self) -> tuple[str, int]:
        """The next job it takes: its worker id and the run that the job was made for."""
        worker_id, job_id = self._channel.recv()
        return worker_id, int(job_id.split("-")[1])

    def stop(self) -> list[tuple[str, str]]:
        """Have it end as it should; the jobs it took that no one waited for."""
        self._channel.send("stop")
        self._process.join(60)
        assert self._process.exitcode == 0
        rest = []
        with contextlib.suppress(EOFError):
            while True:
                rest.append(self._channel.recv())
        return rest

    def kill(self) -> None:
        """Have it end as if the power failed."""
        self._process.kill()
        self._process.join()


StartWorker = Callable[[str], WorkerProcess]


@pytest.fixture
def start_worker(database: Database) -> Iterator[StartWorker]:
    """Start worker processes that are gone when the test is."""
    with ExitStack() as processes:

        def start(behaviour: str) -> WorkerProcess:
            process = WorkerProcess(database, behaviour=behaviour)
            processes.callback(process.kill)
            return process

        yield start


def read_first_run(database: Database, experiment: ExperimentRecord) -> RunRecord:
    with database.transaction() as session:
        return read_run(session, experiment.runs[0].id)


def pause_and_resume(database: Database, queue: JobQueue, experiment: ExperimentRecord) -> None:
    with database.transaction() as session:
        lost_jobs = pause_experiment(session, experiment.id)
    queue.withdraw(lost_jobs)
    with database.transaction() as session:
        resume_experiment(session, queue, experiment.id)


def read_job_states(database: Database) -> list[str]:
    with database.transaction() as session:
        return list(session.scalars(sa.select(JOBS.c.status).order_by(JOBS.c.workflow_uuid)))


class TestEnqueue:
    def test_is_part_of_the_callers_transaction(self, database: Database, queue: JobQueue) -> None:
        def enqueue_and_raise() -> None:
            with database.transaction() as session:
                queue.enqueue(session, job_id="run-1")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            enqueue_and_raise()
        assert read_job_states(database) == []
        with database.transaction() as session:
            queue.enqueue(session, job_id="run-1")
        assert read_job_states(database) == ["ENQUEUED"]

    def test_upgrading_again_keeps_the_jobs(self, database: Database, submit: Submit) -> None:
        submit(2)
        upgrade_queue(database)
        assert read_job_states(database) == ["ENQUEUED"] * 2

    @pytest.mark.parametrize(
        ("state", "is_left"), [("ENQUEUED", False), ("DELAYED", False), ("PENDING", True)]
    )
    def test_what_is_withdrawn_is_gone_unless_a_worker_has_it(
        self, database: Database, submit: Submit, queue: JobQueue, state: str, is_left: bool
    ) -> None:
        withdrawn, _other = submit(2).runs
        job_id = set_job(database, withdrawn.id, state=state, worker_id="worker-1")
        queue.withdraw([job_id, "run-of-nobody"])
        assert read_job_states(database) == [state] * is_left + ["ENQUEUED"]

    def test_what_is_discarded_is_gone_even_if_a_worker_has_it(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        taken, _other = submit(2).runs
        queue.discard([take(database, taken.id), "run-of-nobody"])
        assert read_job_states(database) == ["ENQUEUED"]

    def test_nothing_can_be_withdrawn_and_discarded(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        submit()
        queue.withdraw([])
        queue.discard([])
        assert read_job_states(database) == ["ENQUEUED"]

    def test_check_answers(self, queue: JobQueue) -> None:
        queue.check()


class TestServe:
    def test_every_job_is_performed_once_in_its_order_past_one_that_fails(
        self, database: Database, submit: Submit, start_worker: StartWorker
    ) -> None:
        experiment = submit(3)
        worker = start_worker("fail first")
        worker.serve()
        performed = [worker.wait_for_job() for _ in experiment.runs]
        assert performed == [("worker-1", run.id) for run in experiment.runs]
        # A job queued later finds the worker waiting.
        later = submit(1)
        assert worker.wait_for_job() == ("worker-1", later.runs[0].id)
        assert worker.stop() == []
        assert sorted(read_job_states(database)) == ["ERROR", "SUCCESS", "SUCCESS", "SUCCESS"]
        failed = read_first_run(database, experiment)
        assert failed.status == "failed"
        assert failed.error == "The worker gave the job up without a reason; its log has the traceback."

    def test_second_worker_takes_what_the_first_has_not(
        self, database: Database, submit: Submit, start_worker: StartWorker
    ) -> None:
        first, *others = (run.id for run in submit(3).runs)
        holding, finishing = start_worker("hold"), start_worker("finish")
        holding.serve()
        assert holding.wait_for_job() == ("worker-1", first)
        finishing.serve()
        assert [finishing.wait_for_job() for _ in others] == [("worker-2", run_id) for run_id in others]
        assert finishing.stop() == holding.stop() == []
        assert sorted(read_job_states(database)) == ["PENDING", "SUCCESS", "SUCCESS"]


class TestOrder:
    def test_higher_priority_goes_first_then_what_was_begun_before_then_what_was_queued_first(
        self, database: Database, submit: Submit, queue: JobQueue, start_worker: StartWorker
    ) -> None:
        lowest, never_begun, begun, fresh = (submit(priority=priority) for priority in (-100, 0, 0, 0))
        with database.transaction() as session:
            begin_attempt(session, read_job(session, begun.runs[0].id), device="cpu")
        for experiment in (never_begun, begun):
            pause_and_resume(database, queue, experiment)
        higher, highest = submit(priority=1), submit(priority=100)
        worker = start_worker("finish")
        worker.serve()
        expected = (highest, higher, begun, fresh, never_begun, lowest)
        performed = [worker.wait_for_job()[1] for _ in expected]
        assert performed == [experiment.runs[0].id for experiment in expected]
        # Nobody takes what was withdrawn.
        assert worker.stop() == []

    def test_job_to_be_tried_again_waits_for_its_time(
        self, database: Database, submit: Submit, queue: JobQueue, start_worker: StartWorker
    ) -> None:
        waiting, other = submit(), submit()
        with database.transaction() as session:
            run = session.get_one(Run, waiting.runs[0].id)
            # So many that the wait is longer than this test can take.
            run.num_attempts = MAX_ATTEMPTS - 1
            failed_job = str(run.job_id)
            retry_later(session, queue, failed_job, problem="no memory")
        queue.withdraw([failed_job])
        worker = start_worker("finish")
        worker.serve()
        assert worker.wait_for_job()[1] == other.runs[0].id
        assert read_first_run(database, waiting).status == "queued"
        with database.transaction() as session:
            session.execute(sa.text("UPDATE workflow_status SET delay_until_epoch_ms = 0"))
        assert worker.wait_for_job()[1] == waiting.runs[0].id
        assert worker.stop() == []


class TestResume:
    def test_job_laid_down_is_resumed_by_the_same_worker_id(
        self, database: Database, submit: Submit, start_worker: StartWorker
    ) -> None:
        experiment = submit(2)
        holding, successor = start_worker("hold"), start_worker("finish")
        holding.serve()
        assert holding.wait_for_job() == ("worker-1", experiment.runs[0].id)
        held = read_first_run(database, experiment)
        assert (held.status, held.worker) == ("running", "worker-1")
        assert holding.stop() == []
        assert read_job_states(database) == ["PENDING", "ENQUEUED"]
        # Nobody trains it any more, whatever the queue says.
        assert read_first_run(database, experiment).status == "queued"
        successor.serve()
        performed = [successor.wait_for_job() for _ in experiment.runs]
        assert performed == [("worker-1", run.id) for run in experiment.runs]
        assert successor.stop() == []
        assert sorted(read_job_states(database)) == ["SUCCESS", "SUCCESS"]

    def test_second_job_taken_beside_the_first_waits_for_its_end(
        self, database: Database, submit: Submit, start_worker: StartWorker
    ) -> None:
        experiment = submit(2)
        worker = start_worker("meet")
        worker.serve()
        assert sorted(worker.wait_for_job() for _ in experiment.runs) == [
            ("worker-1", run.id) for run in experiment.runs
        ]
        assert worker.stop() == []

    def test_job_of_a_killed_worker_is_resumed_by_the_next_that_starts(
        self, database: Database, submit: Submit, start_worker: StartWorker
    ) -> None:
        experiment = submit(1)
        holding, successor = start_worker("hold"), start_worker("finish")
        holding.serve()
        holding.wait_for_job()
        assert read_first_run(database, experiment).status == "running"
        holding.kill()
        dead = read_first_run(database, experiment)
        assert (dead.status, dead.worker) == ("queued", None)
        assert "No worker is alive" in str(dead.stalled)
        successor.serve()
        assert successor.wait_for_job() == ("worker-1", experiment.runs[0].id)
        assert successor.stop() == []
