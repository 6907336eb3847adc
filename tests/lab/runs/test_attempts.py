"""How often a run may be tried before it is given up."""

from dataclasses import replace

import pytest

from lab.database.engine import Database
from lab.database.tables import Run
from lab.queue.job_queue import JobQueue
from lab.runs.attempts import begin_attempt, note_problem, take_back_attempt
from lab.runs.control import pause_experiment, resume_experiment
from lab.runs.progress import list_pending_runs, record_checkpoint, record_epoch
from lab.runs.queueing import queue_runs, requeue_jobs, retry_later
from lab.runs.records import RunRecord
from tests.lab.runs.situations import Submit, make_report, read_again, read_job

OUT_OF_MEMORY = "OutOfMemoryError: no memory"


class Attempts:
    """Attempts at the one run of an experiment, each of which ends as it is told."""

    def __init__(self, database: Database, queue: JobQueue, run: RunRecord) -> None:
        self._database = database
        self.queue = queue
        self._run = run

    def begin(self) -> bool:
        """Begin an attempt; whether there is anything to train."""
        job_id = self.read_job()
        with self._database.transaction() as session:
            begin_attempt(session, job_id, device="cpu")
        with self._database.transaction() as session:
            return bool(list_pending_runs(session, job_id))

    def begin_and_die(self, times: int) -> None:
        """Have the worker be killed in so many attempts."""
        for _ in range(times):
            assert self.begin()
            with self._database.transaction() as session:
                requeue_jobs(session, self.queue, [read_job(session, self._run.id)])

    def begin_and_run_out_of_memory(self) -> None:
        """Have the attempt end with a problem that the worker can tell."""
        assert self.begin()
        with self._database.transaction() as session:
            job_id = read_job(session, self._run.id)
            retry_later(session, self.queue, job_id, problem=OUT_OF_MEMORY)

    def lay_down(self) -> None:
        """Have the worker be asked to stop."""
        with self._database.transaction() as session:
            job_id = read_job(session, self._run.id)
            take_back_attempt(session, job_id)
            requeue_jobs(session, self.queue, [job_id])

    def read_job(self) -> str:
        with self._database.transaction() as session:
            return read_job(session, self._run.id)


@pytest.fixture
def run(submit: Submit) -> RunRecord:
    """A run that has been queued."""
    return submit().runs[0]


@pytest.fixture
def attempts(database: Database, queue: JobQueue, run: RunRecord) -> Attempts:
    """Attempts at ``run``."""
    return Attempts(database, queue, run)


class TestGivingUp:
    def test_follows_five_attempts_that_came_no_further(
        self, database: Database, run: RunRecord, attempts: Attempts
    ) -> None:
        attempts.begin_and_die(5)
        assert read_again(database, run).status == "queued"
        assert not attempts.begin()
        again = read_again(database, run)
        assert again.status == "failed"
        assert again.error == (
            "5 attempts ended without a new checkpoint; the last one: the worker died or was killed; its log "
            "may say why."
        )
        assert again.finished_at is not None

    def test_names_the_last_problem(self, database: Database, run: RunRecord, attempts: Attempts) -> None:
        attempts.begin_and_die(4)
        attempts.begin_and_run_out_of_memory()
        assert not attempts.begin()
        error = read_again(database, run).error
        assert error == f"5 attempts ended without a new checkpoint; the last one: {OUT_OF_MEMORY}"

    def test_names_a_problem_that_the_worker_could_only_just_note(
        self, database: Database, run: RunRecord, attempts: Attempts
    ) -> None:
        attempts.begin_and_die(4)
        assert attempts.begin()
        with database.transaction() as session:
            job_id = read_job(session, run.id)
            note_problem(session, job_id, problem="AcceleratorError: the device is lost")
            requeue_jobs(session, attempts.queue, [job_id])
        assert not attempts.begin()
        assert "AcceleratorError: the device is lost" in str(read_again(database, run).error)

    def test_does_not_name_a_problem_that_was_not_the_last(
        self, database: Database, run: RunRecord, attempts: Attempts
    ) -> None:
        attempts.begin_and_run_out_of_memory()
        attempts.begin_and_die(4)
        assert not attempts.begin()
        assert OUT_OF_MEMORY not in str(read_again(database, run).error)

    def test_is_of_the_run_and_not_of_the_others_of_its_job(
        self, database: Database, queue: JobQueue, submit: Submit
    ) -> None:
        stuck, moving = submit(2).runs
        with database.transaction() as session:
            queue_runs(session, queue, [session.get_one(Run, run.id) for run in (stuck, moving)])
        together = Attempts(database, queue, moving)
        for epoch in range(1, 8):
            assert together.begin()
            with database.transaction() as session:
                job_id, report = read_job(session, moving.id), make_report(epoch)
                record_epoch(session, moving.id, job_id=job_id, report=report, is_last=False)
                requeue_jobs(session, queue, [job_id])
        # After two attempts it has a job of its own, and is alone with what is left of its attempts.
        alone = Attempts(database, queue, stuck)
        assert alone.read_job() != together.read_job()
        alone.begin_and_die(3)
        assert not alone.begin()
        assert read_again(database, stuck).status == "failed"
        assert (read_again(database, moving).status, read_again(database, moving).epoch) == ("queued", 7)


class TestCountingAnew:
    def test_follows_a_new_checkpoint_in_the_middle_of_an_epoch(
        self, database: Database, run: RunRecord, attempts: Attempts
    ) -> None:
        attempts.begin_and_die(4)
        assert attempts.begin()
        state = replace(make_report(1).state, epoch=0, step=5)
        with database.transaction() as session:
            record_checkpoint(session, run.id, job_id=read_job(session, run.id), state=state)
        attempts.begin_and_die(5)
        assert not attempts.begin()

    def test_follows_a_recorded_epoch(self, database: Database, run: RunRecord, attempts: Attempts) -> None:
        attempts.begin_and_die(4)
        assert attempts.begin()
        with database.transaction() as session:
            job_id = read_job(session, run.id)
            record_epoch(session, run.id, job_id=job_id, report=make_report(1), is_last=False)
        attempts.begin_and_die(5)
        assert not attempts.begin()

    def test_does_not_follow_a_checkpoint_that_is_no_further(
        self, database: Database, run: RunRecord, attempts: Attempts
    ) -> None:
        def record_checkpoint_once_more() -> None:
            with database.transaction() as session:
                job_id = read_job(session, run.id)
                record_checkpoint(session, run.id, job_id=job_id, state=make_report(1).state)

        record_checkpoint_once_more()
        attempts.begin_and_die(3)
        record_checkpoint_once_more()
        attempts.begin_and_die(2)
        assert not attempts.begin()

    def test_follows_a_stop(self, attempts: Attempts) -> None:
        attempts.begin_and_die(4)
        assert attempts.begin()
        attempts.lay_down()
        attempts.begin_and_die(5)
        assert not attempts.begin()

    def test_follows_a_pause(
        self, database: Database, queue: JobQueue, run: RunRecord, attempts: Attempts
    ) -> None:
        attempts.begin_and_die(5)
        with database.transaction() as session:
            pause_experiment(session, run.experiment_id)
        with database.transaction() as session:
            resume_experiment(session, queue, run.experiment_id)
        attempts.begin_and_die(5)
        assert not attempts.begin()
