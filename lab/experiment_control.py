"""What a client does to experiments: submit, cancel, pause, resume, delete.

A run belongs to the job whose id it carries, and a worker may write of it only in the name of that job. To
take a run off a worker is therefore one update here, at once and for good; the worker notices between steps.
Every function may be repeated without harm and works in the caller's transaction.
"""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from lab.errors import IdempotencyConflictError
from lab.experiment_specs import ExperimentSpec
from lab.job_queue import JobQueue
from lab.records import find_experiment
from lab.tables import Experiment, Run


def submit_experiment(
    session: Session,
    queue: JobQueue,
    *,
    spec: ExperimentSpec,
    request: dict[str, Any],
    idempotency_key: str | None = None,
) -> int:
    """Write the experiment, its runs and their jobs; give the id.

    With a key that has been used for the same request, nothing is written and the first one's id is given.

    Raises:
        IdempotencyConflictError: the key has been used for another request.
    """
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    # One statement, so that of two requests with one key that come at once the second waits for the first.
    experiment_id = session.scalar(
        insert(Experiment)
        .values(
            name=spec.name,
            dataset=spec.dataset,
            preset=spec.preset,
            request=request,
            idempotency_key=idempotency_key,
        )
        .on_conflict_do_nothing(index_elements=[Experiment.idempotency_key])
        .returning(Experiment.id)
    )
    if experiment_id is None:
        return _find_submitted(session, str(idempotency_key), request)
    runs = [Run(experiment_id=experiment_id, config=config.to_json()) for config in spec.runs]
    session.add_all(runs)
    session.flush()
    _enqueue(session, queue, runs)
    return experiment_id


def cancel_experiment(session: Session, experiment_id: int) -> None:
    """Take every unfinished run off the queue and off its worker, for good; what was measured stays.

    Raises:
        NotFoundError: there is no such experiment.
    """
    find_experiment(session, experiment_id)
    session.execute(_update_unfinished(experiment_id).values(job_id=None, is_paused=False))


def pause_experiment(session: Session, experiment_id: int) -> None:
    """Take every queued or running run off the queue and off its worker until it is resumed.

    Raises:
        NotFoundError: there is no such experiment.
    """
    find_experiment(session, experiment_id)
    statement = _update_unfinished(experiment_id).where(Run.job_id.is_not(None))
    session.execute(statement.values(job_id=None, is_paused=True))


def resume_experiment(session: Session, queue: JobQueue, experiment_id: int) -> None:
    """Queue every paused run again; it goes on from its last checkpoint.

    Raises:
        NotFoundError: there is no such experiment.
    """
    find_experiment(session, experiment_id)
    # The update takes the database's write lock before the rows are read.
    paused = session.scalars(
        _update_unfinished(experiment_id).where(Run.is_paused).values(is_paused=False).returning(Run)
    ).all()
    _enqueue(session, queue, sorted(paused, key=lambda run: run.id))


def delete_experiment(session: Session, experiment_id: int) -> None:
    """Remove the experiment and all that is kept of its runs; a worker on one of them lets go of it.

    Raises:
        NotFoundError: there is no such experiment.
    """
    session.execute(sa.delete(Experiment).where(Experiment.id == find_experiment(session, experiment_id).id))


def _enqueue(session: Session, queue: JobQueue, runs: list[Run]) -> None:
    for run in runs:
        # A new job each time: whatever still works under an old id has lost the run.
        run.job_id = f"run-{run.id}-{uuid.uuid4().hex[:12]}"
        queue.enqueue(session, job_id=run.job_id)


def _find_submitted(session: Session, idempotency_key: str, request: dict[str, Any]) -> int:
    query = sa.select(Experiment).where(Experiment.idempotency_key == idempotency_key)
    experiment = session.scalars(query).one()
    if experiment.request != request:
        raise IdempotencyConflictError(
            f"The Idempotency-Key {idempotency_key!r} was used for experiment {experiment.id}, which asked "
            "for something else; use a new key for a new request."
        )
    return experiment.id


def _update_unfinished(experiment_id: int) -> sa.Update:
    return sa.update(Run).where(Run.experiment_id == experiment_id, Run.finished_at.is_(None))
