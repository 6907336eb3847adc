import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from lab.database import Database
from lab.job_queue import JOBS, JobQueue, upgrade_queue
from lab.records import ExperimentRecord, RunRecord, read_run

REPOSITORY = Path(__file__).parent.parent.parent

Submit = Callable[..., ExperimentRecord]


class WorkerProcess:
    """A worker of the test's own, and the jobs it has told of; it waits for ``serve``."""

    def __init__(self, database: Database, *, behaviour: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.queue_worker", str(database.url), behaviour],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def serve(self) -> None:
        """Have it claim its slot and take jobs."""
        assert self._process.stdin is not None
        self._process.stdin.write("serve\n")
        self._process.stdin.flush()

    def wait_for_job(self) -> tuple[str, int]:
        """The next job it takes: its worker id and the run that the job was made for."""
        assert self._process.stdout is not None
        worker_id, job_id = self._process.stdout.readline().split()
        return worker_id, int(job_id.split("-")[1])

    def stop(self) -> list[str]:
        """Have it end as it should; the jobs it took that no one waited for."""
        rest, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        return rest.splitlines()

    def kill(self) -> None:
        """Have it end as if the power failed."""
        self._process.kill()
        self._process.communicate()


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


class TestResume:
    def test_job_laid_down_is_resumed_by_the_same_worker_id(
        self, database: Database, submit: Submit, start_worker: StartWorker
    ) -> None:
        experiment = submit(2)
        holding, successor = start_worker("hold"), start_worker("finish")
        holding.serve()
        assert holding.wait_for_job() == ("worker-1", experiment.runs[0].id)
        assert read_first_run(database, experiment).status == "running"
        assert holding.stop() == []
        assert read_job_states(database) == ["PENDING", "ENQUEUED"]
        successor.serve()
        performed = [successor.wait_for_job() for _ in experiment.runs]
        assert sorted(performed) == [("worker-1", run.id) for run in experiment.runs]
        assert successor.stop() == []

    def test_job_of_a_killed_worker_is_resumed_by_the_next_that_starts(
        self, submit: Submit, start_worker: StartWorker
    ) -> None:
        experiment = submit(1)
        holding, successor = start_worker("hold"), start_worker("finish")
        holding.serve()
        holding.wait_for_job()
        holding.kill()
        successor.serve()
        assert successor.wait_for_job() == ("worker-1", experiment.runs[0].id)
        assert successor.stop() == []
