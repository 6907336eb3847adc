"""Results of each configuration over its seeds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lab.statistics.summaries import Summary, summarize
from service.results.runs import ResultRow


@dataclass(frozen=True, kw_only=True)
class ConfigurationResult:
    """One configuration's results; summaries are over its completed runs, None without any.

    Accuracies are fractions, losses mean cross-entropies in nats. ``accuracy_gap`` is train minus test
    accuracy at the last epoch. ``stability`` is the standard deviation of test accuracy over a run's last
    five epochs, averaged over the seeds: small where the curve does not fluctuate.
    """

    label: str
    normalization: str
    penalty: str
    parameters: int
    num_runs: int
    num_completed: int
    final_test_accuracy: Summary | None
    test_accuracy_at_best_validation: Summary | None
    final_test_loss: Summary | None
    test_loss_at_best_validation: Summary | None
    final_train_accuracy: Summary | None
    accuracy_gap: Summary | None
    calibration_error: Summary | None
    calibrated_error: Summary | None
    stability: float | None
    seconds: Summary | None


SUMMARIES: tuple[str, ...] = (
    "final_test_accuracy",
    "test_accuracy_at_best_validation",
    "final_test_loss",
    "test_loss_at_best_validation",
    "final_train_accuracy",
    "accuracy_gap",
    "calibration_error",
    "calibrated_error",
    "seconds",
)


def summarize_configurations(rows: Sequence[ResultRow]) -> list[ConfigurationResult]:
    """Summarize runs by label, in the order of the labels' first appearance."""
    by_label: dict[str, list[ResultRow]] = defaultdict(list)
    for row in rows:
        by_label[row.label].append(row)
    return [_summarize(of_label) for of_label in by_label.values()]


def _summarize(rows: Sequence[ResultRow]) -> ConfigurationResult:
    completed = [row for row in rows if row.status == "completed"]

    def summarize_field(name: str) -> Summary | None:
        return summarize([value for row in completed if (value := getattr(row, name)) is not None])

    deviations = summarize_field("last_five_sd")
    return ConfigurationResult(
        label=rows[0].label,
        normalization=rows[0].normalization,
        penalty=rows[0].penalty,
        parameters=rows[0].parameters,
        num_runs=len(rows),
        num_completed=len(completed),
        stability=deviations.mean if deviations else None,
        **{name: summarize_field(name) for name in SUMMARIES},
    )
