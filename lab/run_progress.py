"""What a worker writes of the runs it trains, and reads to go on with one."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from lab.checkpoints import decode_tensors, decode_values, encode_tensors
from lab.configs import RunConfig
from lab.epochs import EpochReport, TrainingState
from lab.tables import Checkpoint, EpochMetric, Run, TestPrediction, now


def begin_runs(session: Session, run_ids: Sequence[int], *, device: str) -> list[tuple[int, RunConfig]]:
    """Mark the runs started, and give those that remain to be trained, in the order asked.

    A run that has finished, failed or been deleted is left out.
    """
    runs = {
        run.id: run
        for run in session.scalars(
            sa.select(Run).where(Run.id.in_(run_ids), Run.finished_at.is_(None), Run.error.is_(None))
        )
    }
    for run in runs.values():
        run.started_at = run.started_at or now()
        run.device = device
    return [(run_id, RunConfig.from_json(runs[run_id].config)) for run_id in run_ids if run_id in runs]


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
        epoch=checkpoint.epoch,
        weights=decode_tensors(checkpoint.weights),
        momentum=decode_tensors(checkpoint.training_state),
        learning_rate=values["learning_rate"],
        schedule=values["schedule"],
    )


def record_epoch(session: Session, run_id: int, *, report: EpochReport, is_last: bool) -> None:
    """Write an epoch's metrics and checkpoint, and with the last one the test predictions.

    Does nothing if the run is gone or this epoch has been recorded, so that a process that was stopped for
    a while can never move a run backwards.
    """
    recorded_epoch = session.scalar(sa.select(Checkpoint.epoch).where(Checkpoint.run_id == run_id)) or 0
    run = session.get(Run, run_id)
    if run is None or report.epoch <= recorded_epoch:
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
    state = report.state
    session.merge(
        Checkpoint(
            run_id=run_id,
            epoch=report.epoch,
            weights=encode_tensors(state.weights),
            training_state=encode_tensors(
                state.momentum, values={"learning_rate": state.learning_rate, "schedule": state.schedule}
            ),
        )
    )
    if is_last:
        log_probabilities = report.test_log_probabilities.float().numpy().astype("<f4").tobytes()
        session.add(TestPrediction(run_id=run_id, log_probabilities=log_probabilities))
        run.finished_at = now()


def record_failure(session: Session, run_id: int, *, reason: str) -> None:
    """Mark the run failed, with the reason in a sentence."""
    session.execute(sa.update(Run).where(Run.id == run_id).values(error=reason, finished_at=now()))
