"""Puts runs into the queue: for the first time, and again after a pause, a failure or their worker's death.

A run is queued by giving it the id of a new job. Whatever still works under an old id has lost the run, so
that a worker believed dead can come back without harm.
"""

import logging
import uuid
from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from lab.database.tables import Experiment, Run
from lab.queue.job_queue import JobQueue, list_held_jobs
from lab.queue.workers import read_workforce
from lab.runs.attempts import MAX_ATTEMPTS, fail_without_progress
from lab.runs.bundles import choose_bundle_size, make_bundles
from lab.runs.locks import lock_runs

# Delay before the second attempt; doubled before each further one.
RETRY_SECONDS = 5.0
# After this many attempts without a new checkpoint, each run of a job is tried by itself.
MOST_JOINT_ATTEMPTS = 2

logger = logging.getLogger(__name__)


def queue_runs(
    session: Session,
    queue: JobQueue,
    runs: Sequence[Run],
    *,
    is_resumed: bool = False,
    delay_seconds: float = 0.0,
) -> None:
    """Queue one new job of ``runs``, all of one experiment."""
    job_id = f"run-{runs[0].id}-{uuid.uuid4().hex[:12]}"
    for run in runs:
        run.job_id = job_id
    priority = session.get_one(Experiment, runs[0].experiment_id).priority
    queue.enqueue(
        session, job_id=job_id, priority=priority, is_resumed=is_resumed, delay_seconds=delay_seconds
    )


def retry_later(session: Session, queue: JobQueue, job_id: str, *, problem: str) -> None:
    """Requeue the rest of a job, after a growing delay; fail its runs when their attempts are used up.

    One of its runs may be to blame for all, so that in the end each is tried by itself.
    """
    runs = lock_runs(session, Run.job_id == job_id)
    for run in runs:
        run.last_problem = problem
        if run.num_attempts >= MAX_ATTEMPTS:
            fail_without_progress(run, problem)
    left = [run for run in runs if run.finished_at is None]
    if left:
        num_attempts = max(1, *(run.num_attempts for run in left))
        _queue_again(session, queue, left, delay_seconds=RETRY_SECONDS * 2 ** (num_attempts - 1))


def requeue_jobs(session: Session, queue: JobQueue, job_ids: Collection[str]) -> None:
    """Requeue the rest of jobs that their worker will not finish; ``discard`` the jobs afterwards."""
    for job_id in job_ids:
        runs = lock_runs(session, Run.job_id == job_id)
        if runs:
            logger.info("What is left of job %s is queued again.", job_id)
            _queue_again(session, queue, runs)


def queue_apart(session: Session, queue: JobQueue, job_id: str) -> None:
    """Requeue the rest of a job, each run in a job of its own."""
    for run in lock_runs(session, Run.job_id == job_id):
        queue_runs(session, queue, [run], is_resumed=True)


def _queue_again(
    session: Session, queue: JobQueue, runs: Sequence[Run], *, delay_seconds: float = 0.0
) -> None:
    is_joint = max(run.num_attempts for run in runs) < MOST_JOINT_ATTEMPTS
    for bundle in [runs] if is_joint else [[run] for run in runs]:
        queue_runs(session, queue, bundle, is_resumed=True, delay_seconds=delay_seconds)


def queue_in_bundles(
    session: Session, queue: JobQueue, runs: Sequence[Run], *, is_resumed: bool = False
) -> None:
    """Queue the runs of one experiment in jobs as large as suits the workers."""
    size = choose_bundle_size(read_workforce(session), num_runs=len(runs))
    for bundle in make_bundles(runs, size=size):
        queue_runs(session, queue, bundle, is_resumed=is_resumed)


def find_abandoned_jobs(session: Session) -> list[str]:
    """Ids of the jobs whose worker is dead, or has been silent for too long."""
    # In this order: a slot found free after the job was read is free of the job's worker.
    held = list_held_jobs(session)
    responsible = read_workforce(session).responsible if held else []
    return [job_id for job_id, worker_id in held.items() if worker_id not in responsible]
