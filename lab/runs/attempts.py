"""Attempts at a job: count them, note why they ended, fail runs that make no progress."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.tables import Run, now

# How many attempts in a row may end without a new checkpoint before a run is given up.
MAX_ATTEMPTS = 5


def begin_job(session: Session, job_id: str, *, device: str) -> None:
    """Count an attempt at each of the job's runs, and give up those that too many came no further with.

    The others are recorded as each other's bundle.
    """
    # The update takes the lock before the attempts are read.
    begun = session.scalars(
        sa.update(Run)
        .where(Run.job_id == job_id, Run.finished_at.is_(None))
        .values(num_attempts=Run.num_attempts + 1, device=device)
        .returning(Run)
    ).all()
    for run in begun:
        run.started_at = run.started_at or now()
        if run.num_attempts > MAX_ATTEMPTS:
            give_up(run, run.last_problem or "the worker died or was killed; its log may say why.")
        run.last_problem = None
    bundle = sorted(run.id for run in begun if run.finished_at is None)
    for run in begun:
        run.bundle = bundle


def give_up(run: Run, problem: str) -> None:
    """Fail a run that ``MAX_ATTEMPTS`` came no further with."""
    run.error = f"{MAX_ATTEMPTS} attempts ended without a new checkpoint; the last one: {problem}"
    run.finished_at = now()


def note_problem(session: Session, job_id: str, *, problem: str) -> None:
    """Keep what ended the attempt at the job's runs, to say so if no other succeeds."""
    statement = sa.update(Run).where(Run.job_id == job_id, Run.finished_at.is_(None))
    session.execute(statement.values(last_problem=problem))


def lay_down_job(session: Session, job_id: str) -> None:
    """Take back the attempt at the job's runs: it is not given up for want of progress, but for a stop."""
    statement = sa.update(Run).where(Run.job_id == job_id, Run.finished_at.is_(None))
    session.execute(statement.values(num_attempts=0))
