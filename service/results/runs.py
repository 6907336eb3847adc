"""Results of single runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.database.tables import EpochMetric
from lab.runs.records import RunRecord
from lab.statistics.summaries import summarize


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """One run's results. Accuracies are 0–1, losses mean cross-entropies in nats; None before an epoch.

    ``best_test_accuracy`` was picked on the test set and is optimistic; ``test_accuracy_at_best_validation``
    was not, and is None where no images were held out. ``last_five_test_accuracy`` is the mean over the
    last five epochs, or those there are; ``last_five_sd`` their standard deviation (n − 1), None of fewer.
    ``calibration_error`` is a completed run's expected calibration error on the test images, 0–1, and
    ``calibrated_error`` that after temperature scaling.
    """

    run_id: int
    label: str
    normalization: str
    penalty: str
    seed: int
    status: str
    epochs: int
    parameters: int
    best_test_accuracy: float | None
    best_test_epoch: int | None
    test_accuracy_at_best_validation: float | None
    test_loss_at_best_validation: float | None
    final_test_accuracy: float | None
    last_five_test_accuracy: float | None
    last_five_sd: float | None
    final_test_loss: float | None
    final_train_accuracy: float | None
    final_train_loss: float | None
    accuracy_gap: float | None
    seconds: float
    temperature: float | None
    calibration_error: float | None
    calibrated_error: float | None


def summarize_run(run: RunRecord, metrics: Sequence[EpochMetric]) -> ResultRow:
    """One row of the table; ``metrics`` are the run's recorded epochs in order."""
    config = run.config
    last = metrics[-1] if metrics else None
    best = max(metrics, key=lambda metric: metric.test_accuracy, default=None)
    best_validation = max(
        (metric for metric in metrics if metric.validation_accuracy is not None),
        key=lambda metric: metric.validation_accuracy or 0.0,
        default=None,
    )
    last_five = summarize([metric.test_accuracy for metric in metrics[-5:]])
    return ResultRow(
        run_id=run.id,
        label=config.label,
        normalization=config.normalization,
        penalty=config.penalty,
        seed=config.seed,
        status=run.status,
        epochs=run.epoch,
        parameters=config.num_parameters,
        best_test_accuracy=best.test_accuracy if best else None,
        best_test_epoch=best.epoch if best else None,
        test_accuracy_at_best_validation=best_validation.test_accuracy if best_validation else None,
        test_loss_at_best_validation=best_validation.test_loss if best_validation else None,
        final_test_accuracy=last.test_accuracy if last else None,
        last_five_test_accuracy=last_five.mean if last_five else None,
        last_five_sd=last_five.sd if last_five and last_five.n == 5 else None,
        final_test_loss=last.test_loss if last else None,
        final_train_accuracy=last.train_accuracy if last else None,
        final_train_loss=last.train_loss if last else None,
        accuracy_gap=last.train_accuracy - last.test_accuracy if last else None,
        seconds=sum(metric.seconds for metric in metrics),
        temperature=run.calibration.temperature if run.calibration else None,
        calibration_error=run.calibration.error if run.calibration else None,
        calibrated_error=run.calibration.calibrated_error if run.calibration else None,
    )
