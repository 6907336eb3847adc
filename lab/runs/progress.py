"""What a worker writes of the runs it trains, and reads to go on with one."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from lab.database.safetensors import decode_tensors, decode_values, encode_tensors
from lab.database.tables import Checkpoint, EpochMetric, Run, TestPrediction, now
from lab.experiments.configs import RunConfig
from lab.runs.epochs import EpochReport, TrainingState


def list_open_runs(session: Session, job_id: str) -> list[tuple[int, RunConfig]]:
    """The runs that the job still has to train.

    A run that has finished, or that has been cancelled, paused or deleted, is no longer the job's.
    """
    runs = session.scalars(_select_open(job_id).order_by(Run.id))
    return [(run.id, RunConfig.from_json(run.config)) for run in runs]


def has_all_runs(session: Session, job_id: str, run_ids: Collection[int]) -> bool:
    """Whether these runs are all the job's still, finished or not; cancelled or deleted ones are not."""
    query = sa.select(sa.func.count()).where(Run.id.in_(run_ids), Run.job_id == job_id)
    return session.scalar(query) == len(run_ids)


def _select_open(job_id: str) -> sa.Select[tuple[Run]]:
    return sa.select(Run).where(Run.job_id == job_id, Run.finished_at.is_(None))


def load_state(session: Session, run_id: int) -> TrainingState | None:
    """The state that the run's last recorded epoch left, or None before the first.

    Raises:
        ValueError: the checkpoint is damaged.
    """
    checkpoint = session.get(
        Checkpoint, run_id, options=[undefer(Checkpoint.weights), undefer(Checkpoint.training_state)]
    )
    if checkpoint is None:
        return None
    values = decode_values(checkpoint.training_state)
    return TrainingState(
        variant=values["variant"],
        epoch=checkpoint.epoch,
        step=checkpoint.step,
        seconds=values["seconds"],
        epoch_learning_rate=values["epoch_learning_rate"],
        weights=decode_tensors(checkpoint.weights),
        momentum=decode_tensors(checkpoint.training_state),
        learning_rate=values["learning_rate"],
        schedule=values["schedule"],
    )


def record_epoch(session: Session, run_id: int, *, job_id: str, report: EpochReport, is_last: bool) -> None:
    """Write an epoch's metrics and checkpoint, and with the last one the test predictions.

    Does nothing if the run is no longer the job's or this epoch has been recorded, so that a process that
    was stopped for a while can never move a run backwards.
    """
    run = _lock_run(session, run_id, job_id=job_id)
    if run is None or not _is_ahead(session, run_id, report.state):
        return
    session.add(
        EpochMetric(
            run_id=run_id,
            epoch=report.epoch,
            learning_rate=report.learning_rate,
            seconds=report.seconds,
            train_loss=report.train_loss,
            train_accuracy=report.train_accuracy,
            validation_loss=report.validation_loss,
            validation_accuracy=report.validation_accuracy,
            test_loss=report.test_loss,
            test_accuracy=report.test_accuracy,
        )
    )
    _write_checkpoint(session, run, report.state)
    if is_last:
        log_probabilities = report.test_log_probabilities.float().numpy().astype("<f4").tobytes()
        session.add(TestPrediction(run_id=run_id, log_probabilities=log_probabilities))
        run.finished_at = now()


def record_checkpoint(session: Session, run_id: int, *, job_id: str, state: TrainingState) -> None:
    """Write a state from the middle of an epoch, if the run is still the job's, or paused."""
    run = _lock_run(session, run_id, job_id=job_id)
    if run is not None and _is_ahead(session, run_id, state):
        _write_checkpoint(session, run, state)


def record_failure(session: Session, run_id: int, *, job_id: str, reason: str) -> None:
    """Mark the run failed, with the reason in a sentence, if it is still the job's."""
    run = _lock_run(session, run_id, job_id=job_id)
    if run is not None and run.job_id == job_id:
        run.error = reason
        run.finished_at = now()


def _lock_run(session: Session, run_id: int, *, job_id: str) -> Run | None:
    """The run, locked against control until the transaction ends; None if it is no longer the job's.

    A paused run still takes what its worker had in hand: nobody else trains it, and it lies ahead.
    """
    is_allowed = sa.or_(Run.job_id == job_id, Run.is_paused)
    # The update takes the lock, on SQLite the whole database's: what is read next cannot change before the
    # transaction has written what follows from it.
    return session.scalars(
        sa.update(Run)
        .where(Run.id == run_id, Run.finished_at.is_(None), is_allowed)
        .values(device=Run.device)
        .returning(Run)
    ).one_or_none()


def _is_ahead(session: Session, run_id: int, state: TrainingState) -> bool:
    query = sa.select(Checkpoint.epoch, Checkpoint.step).where(Checkpoint.run_id == run_id)
    recorded = session.execute(query).one_or_none()
    return recorded is None or (state.epoch, state.step) > tuple(recorded)


def _write_checkpoint(session: Session, run: Run, state: TrainingState) -> None:
    run.num_attempts = 0
    run.variant = state.variant
    values = {
        "variant": state.variant,
        "learning_rate": state.learning_rate,
        "schedule": state.schedule,
        "seconds": state.seconds,
        "epoch_learning_rate": state.epoch_learning_rate,
    }
    session.merge(
        Checkpoint(
            run_id=run.id,
            epoch=state.epoch,
            step=state.step,
            weights=encode_tensors(state.weights),
            training_state=encode_tensors(state.momentum, values=values),
        )
    )
