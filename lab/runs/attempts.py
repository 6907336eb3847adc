"""Attempts at a job: count them, note why they ended, fail runs that make no progress."""

from sqlalchemy.orm import Session

from lab.database.tables import Run, now
from lab.runs.locks import lock_runs

# Attempts in a row that may end without a new checkpoint before a run fails.
MAX_ATTEMPTS = 5


def begin_attempt(session: Session, job_id: str, *, device: str) -> None:
    """Count an attempt at each of the job's runs, and fail those that have used up all of theirs.

    The others are recorded as each other's bundle.
    """
    runs = lock_runs(session, Run.job_id == job_id, num_attempts=Run.num_attempts + 1, device=device)
    for run in runs:
        run.started_at = run.started_at or now()
        if run.num_attempts > MAX_ATTEMPTS:
            fail_without_progress(
                run, run.last_problem or "the worker died or was killed; its log may say why."
            )
        run.last_problem = None
    bundle = [run.id for run in runs if run.finished_at is None]
    for run in runs:
        run.bundle = bundle


def fail_without_progress(run: Run, problem: str) -> None:
    """Fail a run whose ``MAX_ATTEMPTS`` attempts brought no new checkpoint."""
    run.error = f"{MAX_ATTEMPTS} attempts ended without a new checkpoint; the last one: {problem}"
    run.finished_at = now()


def note_problem(session: Session, job_id: str, *, problem: str) -> None:
    """Store why the attempt at the job's runs ended, for the error if no later attempt succeeds."""
    lock_runs(session, Run.job_id == job_id, last_problem=problem)


def take_back_attempt(session: Session, job_id: str) -> None:
    """Reset the attempts at the job's runs: the worker was stopped, so they do not count."""
    lock_runs(session, Run.job_id == job_id, num_attempts=0)
