"""Every pair of an experiment's configurations, judged."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lab.errors import InvalidRequestError
from lab.experiments.factors import find_differing, read_settings
from lab.statistics.paired import find_disagreement
from lab.wording import join_words
from service.comparison.schemas import DisagreementOut, PairOut
from service.comparison.scores import Scores
from service.comparison.verdicts import Question, judge

MAX_PAIRS = 5_000
"""A hundred configurations have 4,950 pairs."""


def compare_pairs(
    scores: Scores, *, only_correct: NDArray[np.int64] | None, reference: str | None = None
) -> list[PairOut]:
    """Judge every pair, or ``reference`` with each other configuration, as one family of tests.

    Raises:
        InvalidRequestError: there are more than ``MAX_PAIRS``, or no configuration of that name.
    """
    pairs = list_pairs(scores.labels, reference=reference)
    settings = [read_settings(config) for config in scores.configs]
    differing = [find_differing(settings[i], settings[j]) for i, j in pairs]
    questions = [ask_pair(scores, pair, factors) for pair, factors in zip(pairs, differing, strict=True)]
    return [
        PairOut(
            **vars(finding),
            a=scores.labels[i],
            b=scores.labels[j],
            differing=factors,
            mcnemar=_count_disagreement(only_correct, i, j)
            if only_correct is not None and finding.num_seeds
            else None,
        )
        for (i, j), factors, finding in zip(pairs, differing, judge(questions), strict=True)
    ]


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
    a, b = scores.labels[i], scores.labels[j]
    return Question(
        differences=scores.combine({i: 1.0, j: -1.0}),
        claims=(f"{a} is better than {b}", f"{b} is better than {a}"),
        warnings=tuple(_list_warnings(scores, pair, differing)),
    )


def _list_warnings(scores: Scores, pair: tuple[int, int], differing: Sequence[str]) -> list[str]:
    configs = [scores.configs[index] for index in pair]
    warnings = []
    if len(differing) > 1:
        warnings.append(
            f"Confounded: {join_words(differing)} differ together, so a difference cannot be put down to one "
            "of them."
        )
    if not differing:
        warnings.append("The two are the same in every factor; whatever differs is chance.")
    if any(config.schedule == "plateau" and config.schedule_metric == "test" for config in configs):
        warnings.append(
            "The test loss set the learning rate, so the figures compared are a little optimistic."
        )
    if unfinished := scores.describe_unfinished(pair):
        warnings.append(unfinished)
    return warnings


def _count_disagreement(only_correct: NDArray[np.int64], i: int, j: int) -> DisagreementOut:
    found = find_disagreement(int(only_correct[i, j]), int(only_correct[j, i]))
    return DisagreementOut.model_validate(found, from_attributes=True)
