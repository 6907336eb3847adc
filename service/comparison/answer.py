"""Everything that an experiment's scores can answer, judged as one family."""

from dataclasses import dataclass

import numpy as np

from lab.experiments.factors import find_differing
from lab.statistics.paired import LEVEL
from service.comparison.disagreement import Disagreements
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

    @property
    def is_settled(self) -> bool:
        """Whether more seeds would settle no pair: one that cannot be concluded lacks runs that failed."""
        return all(pair.outcome != "no_difference_found" for pair in self.pairs)


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
    disagreements: Disagreements | None = None,
) -> Answer:
    """Judge all pairs, or those with ``reference``, and all factors, together.

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
            view_pair(scores, pair, names, finding, disagreements=disagreements)
            for pair, names, finding in zip(pairs, differing, findings[: len(pairs)], strict=True)
        ],
        factors=factors.view(findings[len(pairs) :], level=level) if factors else None,
    )
