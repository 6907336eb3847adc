"""An experiment's comparison as one document."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.datasets.load import DATASETS, DatasetInfo
from lab.errors import DatasetUnavailableError
from lab.runs.records import ExperimentRecord, read_metrics
from lab.statistics.paired import LEVEL, MIN_SEEDS, count_seeds_needed
from lab.wording import join_words
from service.comparison.disagreement import count_only_correct, read_correctness
from service.comparison.effects import compare_factors
from service.comparison.pairs import MAX_PAIRS, compare_pairs, list_pairs
from service.comparison.schemas import ComparisonOut
from service.comparison.scores import Metric, Scores, collect_scores, read_final_accuracies
from service.comparison.verdicts import describe_reach
from service.results.runs import summarize_run
from service.test_images import TestImages

UNLEARNED = 0.2
USUAL_ACCURACY = 0.99

METHOD = {
    "pairing": "Differences are taken within a seed, which fixes initial weights, order and rotations alike.",
    "interval": "95 % Student's t interval of the mean difference; for one pair, not corrected for many.",
    "p_value": "Two-sided sign-flip test on the mean difference, up to 16 seeds by all assignments: exact "
    "for two configurations that are alike, and wherever differences are symmetric about 0.",
    "p_holm": "Holm's adjustment over all tests of the same list.",
    "effect_size": "Hedges' g_z: mean / sd of the differences, corrected for small samples.",
    "detectable_difference": "What the sign-flip test finds with 80 % power at level 0.05 / num_tests, by "
    "simulation of normal differences that spread as those seen.",
    "overall": "Whether a factor's levels differ at all: sign flips of whole seeds' centred scores.",
    "mcnemar": "Exact, on test images pooled over seeds; the same images recur, so it is descriptive only.",
    "verdict": "Better where p_holm < 0.05; nothing is concluded from fewer than 6 seeds, nor from so few "
    "that p_holm could not fall below 0.05 however clear the difference.",
}


def compare_experiment(
    session: Session,
    test_images: TestImages,
    experiment: ExperimentRecord,
    *,
    metric: Metric = "final_test_accuracy",
    reference: str | None = None,
    is_correct: Mapping[int, NDArray[np.bool_]] | None = None,
) -> ComparisonOut:
    """Compare an experiment's configurations: all pairs, or each with ``reference``.

    ``is_correct`` tells by run id which test images (N,) the completed runs classify correctly; it is read
    from the database if not given.

    Raises:
        InvalidRequestError: there are too many pairs, or no configuration is called ``reference``.
    """
    scores = collect_scores(experiment, _read_values(session, experiment, metric))
    num_pairs = len(list_pairs(scores.labels, reference=reference))
    # Beyond this there may be as many pairs that differ in one factor as pairs in all.
    has_factors = len(scores.labels) * (len(scores.labels) - 1) // 2 <= MAX_PAIRS
    warnings = _list_warnings(experiment, scores, num_pairs=num_pairs, has_factors=has_factors)
    only_correct = None
    if metric == "final_test_accuracy":
        try:
            if is_correct is None:
                is_correct = read_correctness(session, test_images, experiment)
            only_correct = count_only_correct(experiment, is_correct)
        except DatasetUnavailableError as error:
            warnings.append(f"No McNemar counts: {error}")
    return ComparisonOut(
        experiment_id=experiment.id,
        dataset=experiment.dataset,
        status=experiment.status,
        metric=metric,
        configurations=scores.labels,
        seeds=scores.seeds,
        level=LEVEL,
        min_seeds=MIN_SEEDS,
        seeds_needed=count_seeds_needed(max(1, num_pairs)),
        warnings=warnings,
        pairs=compare_pairs(scores, only_correct=only_correct, reference=reference),
        factors=compare_factors(scores) if has_factors else None,
        method={**METHOD, "scope": _describe_scope(DATASETS[experiment.dataset], scores)},
    )


def _read_values(session: Session, experiment: ExperimentRecord, metric: Metric) -> dict[int, float | None]:
    """Each run's figure by its id."""
    if metric == "final_test_accuracy":
        return read_final_accuracies(experiment)
    metrics = read_metrics(session, [run.id for run in experiment.runs])
    rows = [summarize_run(run, metrics[run.id]) for run in experiment.runs]
    return {row.run_id: row.test_accuracy_at_best_validation for row in rows}


def _list_warnings(
    experiment: ExperimentRecord, scores: Scores, *, num_pairs: int, has_factors: bool
) -> list[str]:
    """List warnings that apply to all pairs."""
    warnings = [note] if (note := scores.describe_unfinished()) else []
    if experiment.status in ("running", "queued", "paused"):
        warnings.append(
            "Preliminary: runs are still to come. To look again and again until a difference shows makes "
            "false alarms more likely than the p values say."
        )
    if unlearned := _find_unlearned(scores):
        warnings.append(
            f"Hardly learned anything yet, at a mean accuracy below {UNLEARNED:.0%}: {join_words(unlearned)}."
            " What differs now need not differ once trained."
        )
    if not has_factors:
        warnings.append("Factors are not shown one by one for so many configurations.")
    return [*warnings, *describe_reach(len(scores.seeds), num_pairs=num_pairs)]


def _describe_scope(dataset: DatasetInfo, scores: Scores) -> str:
    means = _find_means(scores)
    accuracy = max(means.values(), default=USUAL_ACCURACY)
    points = 100 * math.sqrt(accuracy * (1 - accuracy) / dataset.test_size)
    return (
        "What holds for other seeds on this test set. Other test images are another question: on "
        f"{dataset.test_size:,} of them the standard error of an accuracy of {100 * accuracy:.3g} % is "
        f"{points:.2g} points."
    )


def _find_unlearned(scores: Scores) -> list[str]:
    """Labels of configurations that read little better than a guess among ten classes."""
    return [label for label, mean in _find_means(scores).items() if mean < UNLEARNED]


def _find_means(scores: Scores) -> dict[str, float]:
    """Mean over the seeds of each configuration that has any."""
    return {
        label: float(np.nanmean(row))
        for label, row in zip(scores.labels, scores.values, strict=True)
        if not np.isnan(row).all()
    }
