"""Store a run's training progress: epochs, checkpoints, layers, failures; and load it to continue."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from lab.database.safetensors import decode_tensors, decode_values, encode_tensors
from lab.database.tables import UNFINISHED, Checkpoint, EpochMetric, LayerStatistic, Run, TestPrediction, now
from lab.experiments.configs import RunConfig
from lab.runs.epochs import EpochReport, LayerStatistics, TrainingState
from lab.runs.locks import lock_runs
from lab.runs.predictions import encode_log_probabilities
from lab.statistics.calibration import Calibration


class PendingRun(NamedTuple):
    """A run still to be trained."""

    id: int
    config: RunConfig


def list_pending_runs(session: Session, job_id: str) -> list[PendingRun]:
    """List the runs that the job still has to train, by id.

    A run that has been cancelled, paused or deleted no longer belongs to the job.
    """
    runs = session.scalars(sa.select(Run).where(UNFINISHED, Run.job_id == job_id).order_by(Run.id))
    return [PendingRun(run.id, RunConfig.from_json(run.config)) for run in runs]


def owns_all_runs(session: Session, job_id: str, run_ids: Collection[int]) -> bool:
    """Return whether all these runs, finished or not, still belong to the job."""
    query = sa.select(sa.func.count()).where(Run.id.in_(run_ids), Run.job_id == job_id)
    return session.scalar(query) == len(run_ids)


def load_state(session: Session, run_id: int) -> TrainingState | None:
    """Load the run's last checkpoint, or None before the first.

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


def record_epoch(
    session: Session,
    run_id: int,
    *,
    job_id: str,
    report: EpochReport,
    is_last: bool,
    calibration: Calibration | None = None,
) -> None:
    """Write an epoch's metrics and checkpoint, and with the last epoch the test predictions and calibration.

    Does nothing if the run no longer belongs to the job or the epoch is already recorded, so a process that
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
        predictions = encode_log_probabilities(report.test_log_probabilities.numpy())
        session.add(TestPrediction(run_id=run_id, log_probabilities=predictions))
        if calibration is not None:
            run.temperature = calibration.temperature
            run.calibration_error = calibration.error
            run.calibrated_error = calibration.calibrated_error
        run.finished_at = now()


def record_checkpoint(session: Session, run_id: int, *, job_id: str, state: TrainingState) -> None:
    """Write a state from the middle of an epoch, if the run still belongs to the job or is paused."""
    run = _lock_run(session, run_id, job_id=job_id)
    if run is not None and _is_ahead(session, run_id, state):
        _write_checkpoint(session, run, state)


def record_layer_statistics(
    session: Session, run_id: int, *, job_id: str, statistics: Sequence[LayerStatistics]
) -> None:
    """Write what a probe measured, if the run still belongs to the job or is paused.

    A run continued from an earlier step measures the same again, which replaces what is there.
    """
    if _lock_run(session, run_id, job_id=job_id) is not None:
        for layer in statistics:
            session.merge(LayerStatistic(run_id=run_id, **asdict(layer)))


def record_failure(session: Session, run_id: int, *, job_id: str, reason: str) -> None:
    """Mark the run failed with the reason, a sentence, if it still belongs to the job."""
    for run in lock_runs(session, Run.id == run_id, Run.job_id == job_id):
        run.error = reason
        run.finished_at = now()


def _lock_run(session: Session, run_id: int, *, job_id: str) -> Run | None:
    # A paused run still accepts its worker's last results: nobody else trains it, and they are ahead.
    runs = lock_runs(session, Run.id == run_id, sa.or_(Run.job_id == job_id, Run.is_paused))
    return runs[0] if runs else None


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
