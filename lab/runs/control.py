"""Control experiments: submit, cancel, pause, resume, delete.

A run belongs to the job whose id it carries, and a worker may write of it only in the name of that job. To
take a run off a worker is therefore one update here, at once and for good; the worker notices between steps.
Every function may be repeated without harm and works in the caller's transaction.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from lab.database.tables import Experiment, Run
from lab.errors import IdempotencyConflictError
from lab.experiments.planning import ExperimentSpec
from lab.experiments.tuning import Tuning, plan_tuning
from lab.queue.job_queue import JobQueue
from lab.runs.locks import lock_experiment, lock_runs
from lab.runs.queueing import queue_in_bundles
from lab.runs.records import find_experiment


def submit_experiment(
    session: Session,
    queue: JobQueue,
    *,
    spec: ExperimentSpec,
    request: dict[str, Any],
    idempotency_key: str | None = None,
) -> int:
    """Write the experiment, its runs and their jobs; give the id.

    If its learning rates are to be tuned, a second experiment is written that does so, and its own runs wait.

    With a key that has been used for the same request, nothing is written and the first one's id is given.

    Raises:
        IdempotencyConflictError: the key has been used for another request.
        InvalidConfigError: its learning rates cannot be tuned so.
    """
    tuning_spec = plan_tuning(spec)
    experiment_id = _write_experiment(session, spec, request=request, idempotency_key=idempotency_key)
    if experiment_id is None:
        return _find_submitted(session, str(idempotency_key), request)
    runs = [
        Run(experiment_id=experiment_id, config=config.to_json(), is_waiting=tuning_spec is not None)
        for config in spec.runs
    ]
    session.add_all(runs)
    session.flush()
    if tuning_spec is None:
        queue_in_bundles(session, queue, runs)
        return experiment_id
    assert spec.tune is not None
    tuning = Tuning(
        experiment_id=submit_experiment(session, queue, spec=tuning_spec, request=request),
        learning_rates=list(spec.tune.learning_rates),
        num_seeds=spec.tune.num_seeds,
        epochs=spec.tune.epochs,
    )
    session.get_one(Experiment, experiment_id).tuning = tuning.to_json()
    return experiment_id


def cancel_experiment(session: Session, experiment_id: int) -> list[str]:
    """Take every unfinished run off the queue and off its worker, for good; results are kept.

    Gives the ids of their jobs, to ``withdraw`` once the transaction is committed.

    Raises:
        NotFoundError: there is no such experiment.
    """
    lock_experiment(session, experiment_id).is_settling = False
    runs = lock_runs(session, Run.experiment_id == experiment_id)
    for run in runs:
        run.is_waiting = False
    return _take_from_jobs(runs, is_paused=False)


def pause_experiment(session: Session, experiment_id: int) -> list[str]:
    """Take every queued or running run off the queue and off its worker until it is resumed.

    Runs that wait for their learning rates are paused too.

    Gives the ids of their jobs, to ``withdraw`` once the transaction is committed.

    Raises:
        NotFoundError: there is no such experiment.
    """
    find_experiment(session, experiment_id)
    is_to_come = sa.or_(Run.job_id.is_not(None), Run.is_waiting)
    runs = lock_runs(session, Run.experiment_id == experiment_id, is_to_come)
    return _take_from_jobs(runs, is_paused=True)


def resume_experiment(session: Session, queue: JobQueue, experiment_id: int) -> None:
    """Queue every paused run again, before runs not yet begun; it continues from its last checkpoint.

    Raises:
        NotFoundError: there is no such experiment.
    """
    experiment = find_experiment(session, experiment_id)
    paused = [run for run in lock_runs(session, Run.experiment_id == experiment.id) if run.is_paused]
    for run in paused:
        run.is_paused = False
        run.num_attempts = 0
    paused = [run for run in paused if not run.is_waiting]
    for is_begun in (True, False):
        runs = [run for run in paused if (run.started_at is not None) == is_begun]
        queue_in_bundles(session, queue, runs, is_resumed=is_begun)


def delete_experiment(session: Session, experiment_id: int) -> list[str]:
    """Remove the experiment and all that is kept of its runs; a worker on one of them lets go of it.

    Gives the ids of their jobs, to ``withdraw`` once the transaction is committed.

    Raises:
        NotFoundError: there is no such experiment.
    """
    experiment = find_experiment(session, experiment_id)
    job_ids = session.scalars(sa.select(Run.job_id).where(Run.experiment_id == experiment.id))
    withdrawn = [job_id for job_id in job_ids if job_id is not None]
    session.execute(sa.delete(Experiment).where(Experiment.id == experiment.id))
    return withdrawn


def _write_experiment(
    session: Session, spec: ExperimentSpec, *, request: dict[str, Any], idempotency_key: str | None
) -> int | None:
    """Write the experiment's row and give its id; None if the key has been used."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    # One statement: of two simultaneous requests with one key, the second waits for the first.
    return session.scalar(
        insert(Experiment)
        .values(
            name=spec.name,
            dataset=spec.dataset,
            preset=spec.preset,
            request=request,
            priority=spec.priority,
            idempotency_key=idempotency_key,
        )
        .on_conflict_do_nothing(index_elements=[Experiment.idempotency_key])
        .returning(Experiment.id)
    )


def _take_from_jobs(runs: list[Run], *, is_paused: bool) -> list[str]:
    job_ids = [run.job_id for run in runs if run.job_id is not None]
    for run in runs:
        run.job_id = None
        run.is_paused = is_paused
    return job_ids


def _find_submitted(session: Session, idempotency_key: str, request: dict[str, Any]) -> int:
    query = sa.select(Experiment).where(Experiment.idempotency_key == idempotency_key)
    experiment = session.scalars(query).one()
    if experiment.request != request:
        raise IdempotencyConflictError(
            f"The Idempotency-Key {idempotency_key!r} was used for experiment {experiment.id}, which asked "
            "for something else; use a new key for a new request."
        )
    return experiment.id
