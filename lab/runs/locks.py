"""Rows selected and locked against everybody else until the transaction ends."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.tables import UNFINISHED, Experiment, Run
from lab.runs.records import find_experiment


def lock_runs(session: Session, *conditions: sa.ColumnElement[bool], **values: Any) -> list[Run]:
    """Lock the unfinished runs that meet all ``conditions``, and return them by id.

    One UPDATE … RETURNING, which sets ``values`` if there are any. It takes the lock, on SQLite the whole
    database's, so nothing read afterwards can change before the transaction has written what follows from it.
    """
    statement = sa.update(Run).where(UNFINISHED, *conditions).values(values or {"job_id": Run.job_id})
    return sorted(session.scalars(statement.returning(Run)), key=lambda run: run.id)


def lock_experiment(session: Session, experiment_id: int) -> Experiment:
    """Lock the experiment's row, and return it; of two requests at once, the second waits here.

    Raises:
        NotFoundError: there is no such experiment.
    """
    session.execute(
        sa.update(Experiment).where(Experiment.id == experiment_id).values(priority=Experiment.priority)
    )
    return find_experiment(session, experiment_id)
