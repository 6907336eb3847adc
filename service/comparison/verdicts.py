"""Verdicts in words, from differences by seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from lab.statistics.paired import (
    LEVEL,
    MIN_SEEDS,
    PairedDifference,
    adjust_holm,
    count_seeds_needed,
    describe_differences,
    find_detectable_effect,
    find_smallest_p,
)
from lab.wording import count_words, format_points

Outcome = Literal["a_better", "b_better", "interaction", "no_difference_found", "cannot_conclude"]


class Finding(BaseModel):
    """A difference, its uncertainty, and the verdict. A difference of 0.01 is one point."""

    difference: float | None = Field(description="Mean difference over the seeds; null without any.")
    ci_low: float | None = Field(description="95 % t interval of it, not adjusted; null below two seeds.")
    ci_high: float | None
    p_value: float | None = Field(description="Two-sided sign-flip p, not adjusted.")
    p_holm: float | None = Field(description="The same, Holm-adjusted for num_tests tests.")
    num_tests: int = Field(description="Tests that are adjusted for together.")
    effect_size: float | None = Field(description="Hedges' g_z of the paired differences.")
    num_seeds: int = Field(description="Seeds that pair up.")
    num_ties: int = Field(description="Seeds on which there is no difference at all.")
    smallest_p: float | None = Field(description="The smallest p_value that so many seeds can reach.")
    detectable_difference: float | None = Field(
        description="What the test finds with 80 % power at level 0.05 / num_tests, if differences are "
        "normal and spread as they did; null where they do not spread or nothing could be found."
    )
    outcome: Outcome
    verdict: str
    reason: str | None = Field(None, description="Why it cannot be concluded; null where something can.")
    warnings: list[str]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A difference to judge, by seed, with the claims for values above and below 0."""

    differences: NDArray[np.float64]
    claims: tuple[str, str]
    outcomes: tuple[Outcome, Outcome] = ("a_better", "b_better")
    warnings: tuple[str, ...] = ()


def judge(questions: Sequence[Question]) -> list[Finding]:
    """A finding for each question; all are one family, whose p values are adjusted together."""
    described = [describe_differences(q.differences) if len(q.differences) else None for q in questions]
    # Questions without data yet count too: verdicts do not depend on what finishes first.
    adjusted = adjust_holm([found.p_value if found else 1.0 for found in described])
    return [
        _make_finding(question, found, p_holm=p_holm, num_tests=len(questions))
        for question, found, p_holm in zip(questions, described, adjusted, strict=True)
    ]


def describe_reach(num_seeds: int, *, num_pairs: int) -> list[str]:
    """A sentence where so many seeds cannot conclude on so many pairs, however clear; none where they can."""
    needed = count_seeds_needed(max(1, num_pairs))
    if num_pairs == 0 or (needed is not None and num_seeds >= needed):
        return []
    seeds, pairs = count_words(num_seeds, "seed"), count_words(num_pairs, "pair")
    return [
        f"{seeds} cannot conclude on {pairs} at once: the smallest p they can reach, corrected for as many "
        f"tests, is not below {LEVEL:g}; {_say_how_many_could(num_pairs)}. Comparing each with one reference "
        "takes fewer tests; so does one factor at a time, corrected for its own comparisons."
    ]


def describe_shortfall(num_seeds: int, *, num_tests: int) -> str | None:
    """Say why this number of seeds cannot conclude, however clear the data; None if it can."""
    if num_seeds < MIN_SEEDS:
        return f"fewer than {MIN_SEEDS} seeds"
    if num_tests * find_smallest_p(num_seeds) < LEVEL:
        return None
    return (
        f"corrected for {num_tests} tests, {num_seeds} seeds cannot reach p < {LEVEL:g}; "
        f"{_say_how_many_could(num_tests)}"
    )


def _say_how_many_could(num_tests: int) -> str:
    needed = count_seeds_needed(num_tests)
    return "no number of seeds could" if needed is None else f"{needed} seeds could"


def _make_finding(
    question: Question, found: PairedDifference | None, *, p_holm: float, num_tests: int
) -> Finding:
    if found is None:
        return Finding(
            **dict.fromkeys(NUMBERS),
            num_tests=num_tests,
            num_seeds=0,
            num_ties=0,
            outcome="cannot_conclude",
            verdict=f"cannot conclude: {NONE_COMPLETED}",
            reason=NONE_COMPLETED,
            warnings=list(question.warnings),
        )
    effect = find_detectable_effect(found.num_seeds, num_tests) if found.sd else None
    outcome, verdict, reason = _decide(question, found, p_holm=p_holm, num_tests=num_tests)
    return Finding(
        difference=found.difference,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        p_value=found.p_value,
        p_holm=p_holm,
        num_tests=num_tests,
        effect_size=found.effect_size,
        num_seeds=found.num_seeds,
        num_ties=found.num_ties,
        smallest_p=found.smallest_p,
        detectable_difference=effect * found.sd if effect and found.sd else None,
        outcome=outcome,
        verdict=verdict,
        reason=reason,
        warnings=[*question.warnings, *_find_cautions(found, is_found=outcome in question.outcomes)],
    )


NONE_COMPLETED = f"fewer than {MIN_SEEDS} seeds (none is completed by all compared)"
NUMBERS = (
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "p_holm",
    "effect_size",
    "smallest_p",
    "detectable_difference",
)


def _decide(
    question: Question, found: PairedDifference, *, p_holm: float, num_tests: int
) -> tuple[Outcome, str, str | None]:
    """Decide the outcome, the verdict, and, if nothing can be concluded, the reason."""
    n = found.num_seeds
    shortfall = describe_shortfall(n, num_tests=num_tests)
    if n < MIN_SEEDS:
        shortfall = f"{shortfall} ({n} pair up)"
        return "cannot_conclude", f"cannot conclude: {shortfall}", shortfall
    if p_holm < LEVEL:
        side = 0 if found.difference > 0 else 1
        margin = ((found.ci_high or 0.0) - (found.ci_low or 0.0)) / 2
        size = f"{format_points(found.difference)} ± {format_points(margin)} points"
        return question.outcomes[side], f"{question.claims[side]} by {size}", None
    if shortfall:
        return "cannot_conclude", f"cannot conclude: {shortfall}", shortfall
    if not found.sd:
        return "no_difference_found", f"no difference found: the same on each of {n} seeds", None
    points = format_points((find_detectable_effect(n, num_tests) or 0.0) * found.sd)
    words = f"no difference found; this many seeds could have shown {points} points"
    return "no_difference_found", words, None


def _find_cautions(found: PairedDifference, *, is_found: bool) -> list[str]:
    """List reasons in the data to be careful with the finding."""
    cautions = []
    if found.num_ties:
        smallest = min(1.0, find_smallest_p(found.num_seeds - found.num_ties))
        cautions.append(
            f"{found.num_ties} of {found.num_seeds} seeds tie exactly; the others alone could not reach a p "
            f"below {smallest:.2g}."
        )
    if found.ci_low is None or found.ci_high is None:
        return cautions
    excludes_zero = found.ci_low > 0 or found.ci_high < 0
    if is_found and not excludes_zero:
        cautions.append(
            "The t interval includes 0 although the exact test finds a difference: some seed differs far "
            "more than the others, so trust the direction more than the size."
        )
    if not is_found and excludes_zero and found.num_seeds >= MIN_SEEDS:
        cautions.append(
            "The interval excludes 0, but it is neither corrected for the number of tests nor exact; the "
            "verdict is."
        )
    return cautions
