from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from lab.database.engine import Database
from lab.queue.job_queue import JOBS, JobQueue
from lab.queue.worker_slots import claim_slot
from lab.runs.attempts import begin_attempt
from lab.runs.control import cancel_experiment, pause_experiment
from lab.runs.queueing import retry_later
from lab.runs.records import ExperimentRecord, count_runs_by_status, read_experiment
from lab.runs.status import STATUSES, Status, combine_statuses
from tests.lab.runs.situations import Submit, beat, fail, finish, read_again, set_job, take

# What the queue says of a job → what is said of its run while a worker is alive and has written nothing.
STATUS_OF_JOB: dict[str, Status] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "CANCELLED": "failed",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "SUCCESS": "failed",
}
NOBODY_ALIVE = "No worker is alive to train it; start one with: python -m worker."


def pause(database: Database, experiment_id: int) -> None:
    with database.transaction() as session:
        pause_experiment(session, experiment_id)


def cancel(database: Database, experiment_id: int) -> None:
    with database.transaction() as session:
        cancel_experiment(session, experiment_id)


class TestRunStatus:
    @pytest.mark.parametrize("state", STATUS_OF_JOB)
    def test_is_what_the_queue_says_while_the_worker_is_alive(
        self, database: Database, submit: Submit, worker: str, state: str
    ) -> None:
        (run,) = submit().runs
        set_job(database, run.id, state=state, worker_id=worker)
        assert read_again(database, run).status == STATUS_OF_JOB[state]

    @pytest.mark.parametrize("state", STATUS_OF_JOB)
    def test_what_the_worker_wrote_outweighs_the_queue(
        self, database: Database, submit: Submit, worker: str, state: str
    ) -> None:
        completed, failed = submit(2).runs
        for run in (completed, failed):
            set_job(database, run.id, state=state, worker_id=worker)
        finish(database, completed.id)
        fail(database, failed.id)
        assert read_again(database, completed).status == "completed"
        assert read_again(database, completed).is_completed
        assert read_again(database, failed).status == "failed"
        assert read_again(database, failed).error == "Because."

    @pytest.mark.parametrize("state", ["ERROR", "SUCCESS"])
    def test_lost_job_has_a_reason(self, database: Database, submit: Submit, state: str) -> None:
        (run,) = submit().runs
        set_job(database, run.id, state=state)
        assert "without a reason" in str(read_again(database, run).error)

    def test_run_without_a_job_has_failed(self, database: Database, submit: Submit) -> None:
        (run,) = submit().runs
        with database.transaction() as session:
            session.execute(sa.delete(JOBS))
        assert read_again(database, run).status == "failed"


class TestRunning:
    def test_is_a_run_that_a_living_worker_has(self, database: Database, submit: Submit, worker: str) -> None:
        (run,) = submit().runs
        assert run.worker is None
        take(database, run.id, worker_id=worker)
        again = read_again(database, run)
        assert (again.status, again.worker, again.stalled) == ("running", worker, None)

    def test_is_not_a_run_whose_worker_has_died(self, database: Database, submit: Submit) -> None:
        (run,) = submit().runs
        with claim_slot(database) as worker_id:
            beat(database, worker_id)
            take(database, run.id, worker_id=worker_id)
            assert read_again(database, run).status == "running"
        again = read_again(database, run)
        assert (again.status, again.worker, again.stalled) == ("queued", None, NOBODY_ALIVE)
        with database.transaction() as session:
            assert count_runs_by_status(session) == {"queued": 1}

    def test_is_not_a_run_whose_worker_has_died_while_another_lives(
        self, database: Database, submit: Submit, worker: str
    ) -> None:
        (run,) = submit().runs
        beat(database, "worker-7")
        take(database, run.id, worker_id="worker-7")
        again = read_again(database, run)
        assert (again.status, again.worker) == ("queued", None)
        assert again.stalled == (
            "worker-7, which trained it, is no longer heard of; another worker takes it over."
        )
        assert worker not in again.stalled

    def test_is_not_a_run_whose_worker_is_silent(
        self, database: Database, submit: Submit, worker: str
    ) -> None:
        (run,) = submit().runs
        take(database, run.id, worker_id=worker)
        beat(database, worker, silent_seconds=42.1)
        again = read_again(database, run)
        assert (again.status, again.worker) == ("queued", None)
        assert again.stalled == f"{worker} has not been heard of for 42 s; no other worker is alive."

    def test_says_so_when_the_run_does_not_move(
        self, database: Database, submit: Submit, worker: str
    ) -> None:
        (run,) = submit().runs
        take(database, run.id, worker_id=worker)
        beat(database, worker, idle_seconds=25.0)
        again = read_again(database, run)
        assert (again.status, again.worker) == ("running", worker)
        assert again.stalled == f"{worker} has not made a step for 25 s."


class TestQueued:
    def test_says_so_when_no_worker_is_alive(self, submit: Submit) -> None:
        (run,) = submit().runs
        assert (run.status, run.worker, run.stalled) == ("queued", None, NOBODY_ALIVE)

    def test_is_not_stalled_behind_others(self, database: Database, submit: Submit, worker: str) -> None:
        first, second = submit(2).runs
        take(database, first.id, worker_id=worker)
        again = read_again(database, second)
        assert (again.status, again.stalled) == ("queued", None)

    def test_names_the_problem_while_it_waits_to_be_tried_again(
        self, database: Database, submit: Submit, queue: JobQueue, worker: str
    ) -> None:
        (run,) = submit().runs
        job_id = take(database, run.id, worker_id=worker)
        with database.transaction() as session:
            begin_attempt(session, job_id, device="cpu")
            retry_later(session, queue, job_id, problem="OutOfMemoryError: no memory")
        again = read_again(database, run)
        assert (again.status, again.worker) == ("queued", None)
        assert again.stalled == (
            "It is tried again after a pause; the last attempt ended with: OutOfMemoryError: no memory"
        )


# How a run comes to rest, with what is said of it then.
RESTING: dict[Status, Callable[[Database, ExperimentRecord], None]] = {
    "completed": lambda database, experiment: finish(database, experiment.runs[0].id),
    "failed": lambda database, experiment: fail(database, experiment.runs[0].id),
    "paused": lambda database, experiment: pause(database, experiment.id),
    "cancelled": lambda database, experiment: cancel(database, experiment.id),
}


class TestResting:
    @pytest.mark.parametrize("status", RESTING)
    def test_a_run_that_should_not_go_on_is_never_stalled(
        self, database: Database, submit: Submit, status: Status
    ) -> None:
        experiment = submit()
        with claim_slot(database) as worker_id:
            beat(database, worker_id, idle_seconds=100)
            take(database, experiment.runs[0].id, worker_id=worker_id)
            RESTING[status](database, experiment)
            beside_a_hanging_worker = read_again(database, experiment.runs[0])
        alone = read_again(database, experiment.runs[0])
        for run in (beside_a_hanging_worker, alone):
            assert (run.status, run.worker, run.stalled) == (status, None, None)


class TestExperimentStatus:
    @pytest.mark.parametrize(
        ("statuses", "expected"),
        [
            (("queued", "running", "failed", "completed"), "running"),
            (("completed", "queued", "failed", "cancelled", "paused"), "queued"),
            (("completed", "paused", "failed", "cancelled"), "paused"),
            (("completed", "cancelled", "failed"), "failed"),
            (("completed", "cancelled"), "cancelled"),
            (("completed", "completed"), "completed"),
        ],
    )
    def test_is_the_first_of_its_runs(
        self, submit: Submit, statuses: tuple[Status, ...], expected: Status
    ) -> None:
        experiment = submit(len(statuses))
        runs = [replace(run, status=status) for run, status in zip(experiment.runs, statuses, strict=True)]
        assert replace(experiment, runs=runs).status == expected

    def test_of_one_status_is_that_one(self) -> None:
        assert [combine_statuses({status}) for status in STATUSES] == list(STATUSES)

    def test_of_no_runs_is_completed(self) -> None:
        assert combine_statuses(set()) == "completed"


class TestExperimentStall:
    def read(self, database: Database, experiment: ExperimentRecord) -> ExperimentRecord:
        with database.transaction() as session:
            return read_experiment(session, experiment.id)

    def test_is_told_once_nothing_moves(self, database: Database, submit: Submit, worker: str) -> None:
        experiment = submit(3)
        finish(database, experiment.runs[0].id)
        assert self.read(database, experiment).stalled is None
        take(database, experiment.runs[1].id, worker_id=worker)
        beat(database, worker, idle_seconds=30)
        assert self.read(database, experiment).stalled == f"{worker} has not made a step for 30 s."

    def test_is_none_while_any_run_moves(self, database: Database, submit: Submit, worker: str) -> None:
        experiment = submit(3)
        set_job(database, experiment.runs[0].id, state="DELAYED")
        take(database, experiment.runs[1].id, worker_id="worker-7")
        assert self.read(database, experiment).stalled is not None
        take(database, experiment.runs[2].id, worker_id=worker)
        assert self.read(database, experiment).stalled is None

    def test_is_none_once_all_runs_rest(self, database: Database, submit: Submit) -> None:
        experiment = submit(2)
        assert self.read(database, experiment).stalled == NOBODY_ALIVE
        finish(database, experiment.runs[0].id)
        pause(database, experiment.id)
        assert self.read(database, experiment).stalled is None
