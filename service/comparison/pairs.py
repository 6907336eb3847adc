"""Every pair of an experiment's configurations, judged."""

from collections.abc import Sequence
from itertools import combinations

from lab.errors import InvalidRequestError
from lab.experiments.presets import LAYER_FORMS
from lab.wording import format_signed_points, join_words
from service.comparison.disagreement import CorrectBySeed, Disagreement, compare_images
from service.comparison.finding import Finding
from service.comparison.schemas import PairOut
from service.comparison.scores import Scores
from service.comparison.verdicts import Question, ask_better

MAX_PAIRS = 5_000
"""A hundred configurations have 4,950 pairs."""

MAX_PARAMETER_RATIO = 1.5


def list_pairs(labels: Sequence[str], *, reference: str | None) -> list[tuple[int, int]]:
    """The pairs to compare, by the configurations' places.

    Raises:
        InvalidRequestError: there are more than ``MAX_PAIRS``, or no configuration of that name.
    """
    if reference is not None:
        if reference not in labels:
            raise InvalidRequestError(
                f"reference is {reference!r}; it must be the label of a configuration, such as "
                f"{join_words(list(labels[:5]))}."
            )
        place = list(labels).index(reference)
        return [(min(place, other), max(place, other)) for other in range(len(labels)) if other != place]
    num_pairs = len(labels) * (len(labels) - 1) // 2
    if num_pairs > MAX_PAIRS:
        raise InvalidRequestError(
            f"{len(labels)} configurations make {num_pairs} pairs; at most {MAX_PAIRS} are compared at once. "
            "Give reference, the label of the configuration that all others are to be compared with."
        )
    return list(combinations(range(len(labels)), 2))


def ask_pair(scores: Scores, pair: tuple[int, int], differing: Sequence[str]) -> Question:
    """Ask whether the first of the pair is better; ``differing`` names the factors that differ."""
    i, j = pair
    return ask_better(
        scores.values[i],
        scores.values[j],
        key=pair,
        names=(scores.labels[i], scores.labels[j]),
        warnings=_list_warnings(scores, pair, differing),
    )


def view_pair(
    scores: Scores,
    pair: tuple[int, int],
    differing: Sequence[str],
    finding: Finding,
    *,
    correctness: tuple[CorrectBySeed, CorrectBySeed] | None,
) -> PairOut:
    """The pair with its finding, compared image by image too if its correct images are known."""
    i, j = pair
    images = compare_images(*correctness) if correctness else None
    low, high = (images and images.interval) or (None, None)
    return PairOut(
        **{**vars(finding), "warnings": [*finding.warnings, *_find_images_caution(finding, images)]},
        a=scores.labels[i],
        b=scores.labels[j],
        differing=list(differing),
        images_low=low,
        images_high=high,
        scope=_describe_scope(images),
        mcnemar=images.by_seed if images else ([] if correctness else None),
    )


def _describe_scope(images: Disagreement | None) -> str:
    """Say what a verdict is about, and what it would be about with other test images."""
    if images is None:
        return "For other seeds on the same test images."
    words = f"For other seeds on these {images.num_images:,} test images."
    if images.interval is None:
        return words
    low, high = map(format_signed_points, images.interval)
    return (
        f"{words} With other test images as well, the difference lies between {low} and {high} points (95 %)."
    )


def _find_images_caution(finding: Finding, images: Disagreement | None) -> list[str]:
    """Caution where the interval for other test images contradicts the verdict."""
    if images is None or images.interval is None:
        return []
    low, high = images.interval
    if finding.outcome in ("a_better", "b_better") and low <= 0 <= high:
        return ["Holds for these test images; with others, the interval includes no difference."]
    if finding.outcome == "practically_same" and max(-low, high) > finding.margin:
        return ["Holds for these test images; with others, the interval goes beyond the margin."]
    return []


def _list_warnings(scores: Scores, pair: tuple[int, int], differing: Sequence[str]) -> list[str]:
    configs = [scores.configs[index] for index in pair]
    warnings = []
    if len(differing) > 1:
        warnings.append(
            f"Confounded: {join_words(differing)} differ together, so a difference cannot be put down to one "
            "of them."
        )
    few, many = sorted(config.num_parameters for config in configs)
    if many > MAX_PARAMETER_RATIO * few:
        larger = scores.labels[pair[0 if configs[0].num_parameters == many else 1]]
        words = (
            f"{larger} has {many / few:.1f} times as many parameters ({many:,} against {few:,}), which may "
            "make the difference."
        )
        if max(configs, key=lambda config: config.num_parameters).normalization == "layer":
            words += f" The preset {LAYER_FORMS.name} has it with γ and β for each channel too."
        warnings.append(words)
    if not differing:
        warnings.append("The two are the same in every factor; whatever differs is chance.")
    if any(config.schedule == "plateau" and config.schedule_metric == "test" for config in configs):
        warnings.append(
            "The test loss set the learning rate, so the figures compared are a little optimistic."
        )
    if unfinished := scores.describe_unfinished(pair):
        warnings.append(unfinished)
    return warnings
