"""An experiment's comparison as one document."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.datasets.load import DATASETS, DatasetInfo
from lab.errors import DatasetUnavailableError
from lab.runs.durations import estimate_duration
from lab.runs.records import ExperimentRecord, read_metrics
from lab.statistics.paired import MIN_SEEDS
from lab.wording import count_words, describe_duration, join_words
from service.comparison.answer import answer_all, can_show_factors, choose_margin
from service.comparison.disagreement import arrange_correctness, read_correctness
from service.comparison.looks import describe_looks
from service.comparison.schemas import ComparisonOut, PairOut
from service.comparison.scores import Metric, Scores, collect_scores, read_final_accuracies
from service.experiments.responses import LookOut
from service.results.runs import summarize_run
from service.test_images import TestImages

UNLEARNED = 0.2
USUAL_ACCURACY = 0.99

METHOD = {
    "pairing": "Differences are taken within a seed, which fixes initial weights, order and rotations alike.",
    "family": "Everything in this answer, pairs, averages, effects and interactions, is judged together: the "
    "chance of any false “is better” is the answer's level at most, where the seeds’ vectors of differences "
    "are symmetric about their means. The level is 5 %, and less for a further look.",
    "p_value": "Two-sided sign-flip test on the mean difference, up to 16 seeds by all assignments: exact "
    "for two configurations that are alike, and wherever differences are symmetric about 0. Not adjusted.",
    "p_adjusted": "Step-down max-T: signs of whole seeds are flipped for all differences together, and each "
    "is measured by its own t (Westfall & Young 1993, Romano & Wolf 2005). Averages have half of the "
    "level by Bonferroni's weights, all others the other half.",
    "p_holm": "Holm's adjustment of p_value; it needs no joint symmetry and decides nothing.",
    "ci": "95 % Student's t interval of this difference alone.",
    "simultaneous": "Intervals mean ± c·sd/√n that hold for all differences of the answer at once, with "
    "confidence 1 − level; c is simulated from normal seeds with the covariance of those seen.",
    "practically_same": "The simultaneous interval lies within the margin.",
    "effect_size": "Hedges' g_z: mean / sd of the differences, corrected for small samples.",
    "detectable_difference": "What these seeds find four times in five at the step of the procedure where "
    "the pair stands, by simulation; the range is that of the spread's 95 % interval.",
    "overall": "Whether a factor's levels differ at all: max-T over all differences of its levels.",
    "images": "95 % interval of a pair's difference, alone, for other seeds and other test images at once: "
    "seeds and images are two crossed random samples (variance components; t with Satterthwaite's degrees of "
    "freedom). No verdict rests on it; where it contradicts one, a caution says so.",
    "mcnemar": "Exact, for each seed by itself: about the two networks trained, not about other seeds.",
    "verdict": "Better where p_adjusted is at most the level; nothing is concluded from fewer than 6 seeds. "
    "“Usually ahead” replaces “better” where one spreads over 3 times as much as the other, or one seed "
    "brings more than half of the sum of squared differences.",
}


def compare_experiment(
    session: Session,
    test_images: TestImages,
    experiment: ExperimentRecord,
    *,
    metric: Metric = "final_test_accuracy",
    reference: str | None = None,
    margin: float | None = None,
    is_correct: Mapping[int, NDArray[np.bool_]] | None = None,
) -> ComparisonOut:
    """Compare an experiment's configurations: all pairs, or each with ``reference``.

    ``is_correct`` tells by run id which test images (N,) the completed runs classify correctly; it is read
    from the database if not given.

    Raises:
        InvalidRequestError: there are too many pairs, or no configuration is called ``reference``.
    """
    scores = collect_scores(experiment, _read_values(session, experiment, metric))
    dataset = DATASETS[experiment.dataset]
    margin = choose_margin(dataset.test_size) if margin is None else margin
    warnings = _list_warnings(experiment, scores)
    correctness = None
    if metric == "final_test_accuracy":
        try:
            if is_correct is None:
                is_correct = read_correctness(session, test_images, experiment)
            correctness = arrange_correctness(experiment, is_correct)
        except DatasetUnavailableError as error:
            warnings.append(f"No McNemar counts and no interval for other test images: {error}")
    answer = answer_all(
        scores, margin=margin, level=experiment.level, reference=reference, correctness=correctness
    )
    _add_settling(session, experiment, scores, answer.pairs)
    return ComparisonOut(
        experiment_id=experiment.id,
        dataset=experiment.dataset,
        status=experiment.status,
        metric=metric,
        configurations=scores.labels,
        seeds=scores.seeds,
        level=experiment.level,
        looks=[LookOut(**asdict(look)) for look in experiment.looks],
        min_seeds=MIN_SEEDS,
        margin=margin,
        warnings=warnings,
        pairs=answer.pairs,
        factors=answer.factors,
        method={**METHOD, "scope": _describe_scope(dataset, scores)},
    )


def _add_settling(
    session: Session, experiment: ExperimentRecord, scores: Scores, pairs: Sequence[PairOut]
) -> None:
    """Say of each open pair how many seeds would settle it, and how long they would take here."""
    if not any(pair.seeds_to_settle for pair in pairs):
        return
    seconds = estimate_duration(session, scores.configs, dataset=experiment.dataset).seconds
    for pair in pairs:
        if (number := pair.seeds_to_settle) is None:
            continue
        runs = count_words(number * len(scores.configs), "run")
        time = "" if seconds is None else f", {describe_duration(number * seconds)} here"
        seeds = count_words(number, "more seed")
        pair.to_settle = f"about {seeds} ({runs}{time}), if difference and spread stay as they are"


def _read_values(session: Session, experiment: ExperimentRecord, metric: Metric) -> dict[int, float | None]:
    """Each run's figure by its id."""
    if metric == "final_test_accuracy":
        return read_final_accuracies(experiment)
    metrics = read_metrics(session, [run.id for run in experiment.runs])
    rows = [summarize_run(run, metrics[run.id]) for run in experiment.runs]
    return {row.run_id: row.test_accuracy_at_best_validation for row in rows}


def _list_warnings(experiment: ExperimentRecord, scores: Scores) -> list[str]:
    """List warnings that apply to all pairs."""
    warnings = [note] if (note := scores.describe_unfinished()) else []
    if experiment.status in ("running", "queued", "paused"):
        warnings.append(
            "Preliminary: runs are still to come. To look again and again until a difference shows makes "
            "false alarms more likely than the p values say."
        )
    if note := describe_looks(experiment):
        warnings.append(note)
    if unlearned := _find_unlearned(scores):
        warnings.append(
            f"Hardly learned anything yet, at a mean accuracy below {UNLEARNED:.0%}: {join_words(unlearned)}."
            " What differs now need not differ once trained."
        )
    if not can_show_factors(scores):
        warnings.append("Factors are not shown one by one for so many configurations.")
    return warnings


def _describe_scope(dataset: DatasetInfo, scores: Scores) -> str:
    means = _find_means(scores)
    accuracy = max(means.values(), default=USUAL_ACCURACY)
    points = 100 * math.sqrt(accuracy * (1 - accuracy) / dataset.test_size)
    return (
        f"Every verdict is about other seeds on these {dataset.test_size:,} test images. Each pair's second "
        "interval is about other test images as well. An accuracy itself is less sure than a difference: on "
        f"{dataset.test_size:,} images the standard error of an accuracy of {100 * accuracy:.3g} % is "
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
