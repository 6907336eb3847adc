"""Everything that an experiment's scores can answer, judged as one family."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.experiments.factors import find_differing
from lab.statistics.paired import LEVEL, MIN_SEEDS
from service.comparison.disagreement import CorrectBySeed
from service.comparison.effects import ask_factors
from service.comparison.pairs import MAX_PAIRS, ask_pair, list_pairs, view_pair
from service.comparison.schemas import FactorsOut, PairOut
from service.comparison.scores import Scores
from service.comparison.verdicts import judge

MARGIN, MARGIN_TEST_SIZE = 0.001, 10_000
"""A tenth of a point on MNIST's 10,000 test images, the standard error of an accuracy of 99 % there."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Findings on pairs and factors; ``factors`` is None where no two configurations differ in one alone."""

    pairs: list[PairOut]
    factors: FactorsOut | None

    def can_settle_more(self, num_more_seeds: int) -> bool:
        """Whether so many more seeds could settle a pair; one may lack too many runs, which failed."""
        return any(
            pair.outcome == "no_difference_found"
            or (pair.outcome == "cannot_conclude" and pair.num_seeds + num_more_seeds >= MIN_SEEDS)
            for pair in self.pairs
        )


def choose_margin(test_size: int) -> float:
    """The default margin of practical equivalence: wider on fewer test images, as their standard error is."""
    return MARGIN * float(np.sqrt(MARGIN_TEST_SIZE / test_size))


def can_show_factors(scores: Scores) -> bool:
    """Whether there are few enough configurations to judge factors one by one.

    Beyond ``MAX_PAIRS`` there may be as many pairs that differ in one factor as pairs in all.
    """
    return len(scores.labels) * (len(scores.labels) - 1) // 2 <= MAX_PAIRS


def answer_all(
    scores: Scores,
    *,
    margin: float,
    level: float = LEVEL,
    reference: str | None = None,
    correctness: Sequence[CorrectBySeed] | None = None,
) -> Answer:
    """Judge all pairs, or those with ``reference``, and all factors, together.

    ``correctness`` has the correct test images of each configuration, if they are known.

    Raises:
        InvalidRequestError: there are too many pairs, or no configuration is called ``reference``.
    """
    pairs = list_pairs(scores.labels, reference=reference)
    settings = scores.settings
    differing = [find_differing(settings[i], settings[j]) for i, j in pairs]
    questions = [ask_pair(scores, pair, names) for pair, names in zip(pairs, differing, strict=True)]
    factors = ask_factors(scores) if can_show_factors(scores) else None
    findings = judge([*questions, *(factors.questions if factors else [])], margin=margin, level=level)
    return Answer(
        pairs=[
            view_pair(
                scores,
                pair,
                names,
                finding,
                correctness=(correctness[pair[0]], correctness[pair[1]]) if correctness else None,
            )
            for pair, names, finding in zip(pairs, differing, findings[: len(pairs)], strict=True)
        ],
        factors=factors.view(findings[len(pairs) :], level=level) if factors else None,
    )
