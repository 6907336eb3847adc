from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.engine import Database
from lab.database.tables import Experiment, Run
from lab.queue.job_queue import JOBS, JobQueue
from lab.runs.control import cancel_experiment, delete_experiment, pause_experiment, resume_experiment
from lab.runs.records import read_experiment
from tests.lab.runs.situations import Submit, finish, read_job, take

Stop = Callable[[Session, int], list[str]]


def read_jobs(database: Database, *run_ids: int) -> list[str]:
    with database.transaction() as session:
        return [read_job(session, run_id) for run_id in run_ids]


def list_jobs(database: Database) -> set[str]:
    with database.transaction() as session:
        return set(session.scalars(sa.select(JOBS.c.workflow_uuid)))


@pytest.mark.parametrize("stop", [cancel_experiment, pause_experiment, delete_experiment])
def test_jobs_that_have_lost_their_runs_are_named_and_withdrawn_but_for_the_one_at_hand(
    database: Database, queue: JobQueue, submit: Submit, stop: Stop
) -> None:
    experiment = submit(2)
    running, waiting = (run.id for run in experiment.runs)
    other_jobs = read_jobs(database, submit().runs[0].id)
    take(database, running)
    jobs = read_jobs(database, running, waiting)
    with database.transaction() as session:
        lost_jobs = stop(session, experiment.id)
    assert lost_jobs == jobs
    queue.withdraw(lost_jobs)
    # Its worker ends it when it looks.
    assert list_jobs(database) == {jobs[0], *other_jobs}


@pytest.mark.parametrize("stop", [cancel_experiment, pause_experiment])
def test_stopping_leaves_what_is_finished_as_it_is_and_a_second_time_does_nothing(
    database: Database, submit: Submit, stop: Stop
) -> None:
    experiment = submit(2)
    finished, waiting = (run.id for run in experiment.runs)
    finish(database, finished)
    jobs = read_jobs(database, finished, waiting)
    with database.transaction() as session:
        assert stop(session, experiment.id) == jobs[1:]
    with database.transaction() as session:
        assert stop(session, experiment.id) == []
        statuses = [run.status for run in read_experiment(session, experiment.id).runs]
    assert statuses == ["completed", "paused" if stop is pause_experiment else "cancelled"]
    assert read_jobs(database, finished) == jobs[:1]


def test_cancelled_runs_are_not_resumed(database: Database, queue: JobQueue, submit: Submit) -> None:
    experiment = submit()
    with database.transaction() as session:
        pause_experiment(session, experiment.id)
        cancel_experiment(session, experiment.id)
    with database.transaction() as session:
        resume_experiment(session, queue, experiment.id)
    with database.transaction() as session:
        assert read_experiment(session, experiment.id).status == "cancelled"
        assert session.get_one(Run, experiment.runs[0].id).job_id is None


def test_resumed_runs_have_one_new_job_each(database: Database, queue: JobQueue, submit: Submit) -> None:
    experiment = submit(2)
    run_ids = [run.id for run in experiment.runs]
    before = read_jobs(database, *run_ids)
    with database.transaction() as session:
        lost_jobs = pause_experiment(session, experiment.id)
    queue.withdraw(lost_jobs)
    for _ in range(2):
        # The second time there is nothing to resume.
        with database.transaction() as session:
            resume_experiment(session, queue, experiment.id)
    after = read_jobs(database, *run_ids)
    assert list_jobs(database) == set(after)
    assert len({*before, *after}) == 4


def test_priority_is_kept(database: Database, submit: Submit) -> None:
    experiment = submit(priority=-7)
    assert experiment.priority == -7
    with database.transaction() as session:
        assert session.get_one(Experiment, experiment.id).priority == -7
