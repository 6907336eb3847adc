"""Two configurations' answers to the same test images, counted."""

from dataclasses import dataclass

from statsmodels.stats.contingency_tables import mcnemar


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """Answers that only one of two configurations has right, and the exact McNemar p of their split."""

    only_a_correct: int
    only_b_correct: int
    p_value: float


def find_disagreement(only_a_correct: int, only_b_correct: int) -> Disagreement:
    """McNemar's exact test of two counts pooled over seeds.

    Descriptive only: pooling takes every answer for a fresh one, but the same test images come again with
    each seed and a hard one is missed again and again, so p is far smaller than the evidence. It is about
    the networks trained, not about what another seed would give; verdicts do not use it.
    """
    result = mcnemar([[0, only_a_correct], [only_b_correct, 0]], exact=True)
    return Disagreement(
        only_a_correct=only_a_correct, only_b_correct=only_b_correct, p_value=min(1.0, float(result.pvalue))
    )
