"""Verdicts in words, from differences by seed. Everything that one answer asserts is judged together."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from lab.statistics.family import JudgedDifference, judge_family
from lab.statistics.paired import (
    LEVEL,
    MIN_SEEDS,
    PairedDifference,
    adjust_holm,
    count_seeds_to_settle,
    describe_differences,
    find_detectable_effect,
    find_spread_range,
)
from lab.statistics.robust import RobustDifference, describe_robustly
from lab.wording import format_points
from service.comparison.cautions import find_cautions
from service.comparison.finding import Finding, Outcome


@dataclass(frozen=True, kw_only=True)
class Question:
    """Two figures by seed (seeds,), NaN where there is none, and claims for a higher and a lower first.

    ``cautious_claims`` replace them where a mean describes the difference badly. Questions with the same
    ``key`` are one; those of one ``group`` share the chance of a false finding.
    """

    key: object
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    claims: tuple[str, str]
    cautious_claims: tuple[str, str]
    names: tuple[str, str]
    outcomes: tuple[Outcome, Outcome] = ("a_better", "b_better")
    warnings: tuple[str, ...] = ()
    group: str = "pair"


def ask_better(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    key: object,
    names: tuple[str, str],
    prefix: str = "",
    warnings: Sequence[str] = (),
    group: str = "pair",
) -> Question:
    """Ask whether the first of two is better; ``prefix`` opens the claim."""
    a, b = names
    return Question(
        key=key,
        first=first,
        second=second,
        claims=(f"{prefix}{a} is better than {b}", f"{prefix}{b} is better than {a}"),
        cautious_claims=(f"{prefix}{a} is usually ahead of {b}", f"{prefix}{b} is usually ahead of {a}"),
        names=names,
        warnings=tuple(warnings),
        group=group,
    )


def judge(questions: Sequence[Question], *, margin: float, level: float = LEVEL) -> list[Finding]:
    """A finding for each question; all are one family, judged together at ``level``."""
    if not questions:
        return []
    # The same difference asked twice, as a pair and as an effect, is one test.
    asked = {question.key: question for question in questions}
    places = {key: place for place, key in enumerate(asked)}
    unique = np.stack([question.first - question.second for question in asked.values()])
    family = judge_family(unique, groups=[question.group for question in asked.values()], level=level)
    described = [
        describe_differences(row[is_given]) if (is_given := ~np.isnan(row)).any() else None for row in unique
    ]
    holm = adjust_holm([found.p_value if found else 1.0 for found in described])
    return [
        _Judge(
            question=question,
            judged=family.pick(place),
            found=described[place],
            p_holm=holm[place],
            num_tests=len(unique),
            margin=margin,
            level=level,
        ).decide()
        for question in questions
        for place in [places[question.key]]
    ]


def describe_shortfall(num_seeds: int) -> str | None:
    """Say why this number of seeds cannot conclude, however clear the data; None if it can."""
    return None if num_seeds >= MIN_SEEDS else f"fewer than {MIN_SEEDS} seeds"


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """One question with its figures and those of its family."""

    question: Question
    judged: JudgedDifference
    found: PairedDifference | None
    p_holm: float
    num_tests: int
    margin: float
    level: float

    def decide(self) -> Finding:
        """The finding; without any seed there is nothing but the reason."""
        found, question = self.found, self.question
        if found is None:
            return self._find_nothing()
        is_given = ~np.isnan(question.first - question.second)
        robust = None
        if found.num_seeds > 1:
            robust = describe_robustly(question.first[is_given], question.second[is_given])
        outcome, verdict, reason = self._conclude(found, robust)
        half = self._find_half_width(found, self.judged.interval_t)
        low, detectable, high = self._find_detectable(found, outcome)
        return Finding(
            difference=found.difference,
            ci_low=found.ci_low,
            ci_high=found.ci_high,
            simultaneous_low=None if half is None else found.difference - half,
            simultaneous_high=None if half is None else found.difference + half,
            p_value=found.p_value,
            p_adjusted=self.judged.p_adjusted,
            p_holm=self.p_holm,
            num_tests=self.num_tests,
            effect_size=found.effect_size,
            num_seeds=found.num_seeds,
            num_ties=found.num_ties,
            smallest_p=found.smallest_p,
            detectable_difference=detectable,
            detectable_low=low,
            detectable_high=high,
            margin=self.margin,
            median_difference=robust.median if robust else None,
            interquartile_mean=robust.interquartile_mean if robust else None,
            probability_ahead=robust.probability_ahead if robust else None,
            seeds_to_settle=self._count_seeds_to_settle(found) if outcome == "no_difference_found" else None,
            outcome=outcome,
            verdict=verdict,
            reason=reason,
            warnings=[
                *question.warnings,
                *find_cautions(
                    found,
                    robust,
                    names=question.names,
                    half_width=half,
                    margin=self.margin,
                    is_found=outcome in question.outcomes,
                ),
            ],
        )

    def _find_nothing(self) -> Finding:
        reason = f"fewer than {MIN_SEEDS} seeds (none is completed by all compared)"
        return Finding(
            num_tests=self.num_tests,
            num_seeds=0,
            margin=self.margin,
            outcome="cannot_conclude",
            verdict=f"cannot conclude: {reason}",
            reason=reason,
            warnings=list(self.question.warnings),
        )

    def _conclude(
        self, found: PairedDifference, robust: RobustDifference | None
    ) -> tuple[Outcome, str, str | None]:
        """Decide the outcome, the verdict, and, if nothing can be concluded, the reason."""
        if shortfall := describe_shortfall(found.num_seeds):
            reason = f"{shortfall} ({found.num_seeds} pair up)"
            return "cannot_conclude", f"cannot conclude: {reason}", reason
        half = self._find_half_width(found, self.judged.interval_t) or 0.0
        if self.judged.p_adjusted <= self.level:
            side = 0 if found.difference > 0 else 1
            is_cautious = robust and (robust.is_spread_unequal or robust.is_one_seed_decisive)
            claims = self.question.cautious_claims if is_cautious else self.question.claims
            size = f"{format_points(found.difference)} ± {format_points(half)} points"
            return self.question.outcomes[side], f"{claims[side]} by {size}", None
        if abs(found.difference) + half <= self.margin:
            words = f"practically the same: the difference is within {format_points(self.margin)} points"
            return "practically_same", words, None
        return "no_difference_found", f"no difference found; {self._describe_reach(found, half)}", None

    def _describe_reach(self, found: PairedDifference, half: float) -> str:
        most = format_points(abs(found.difference) + half)
        words = f"the interval excludes more than {most} points"
        low, detectable, high = self._find_detectable(found, "no_difference_found")
        if low is None or detectable is None or high is None:
            return words
        return (
            f"{words}, and these seeds would find a true difference of about {format_points(detectable)} "
            f"(from {format_points(low)} to {format_points(high)}) four times in five"
        )

    def _count_seeds_to_settle(self, found: PairedDifference) -> int | None:
        if not found.sd or self.judged.step_t is None or self.judged.interval_t is None:
            return None
        needed = count_seeds_to_settle(
            found, step_t=self.judged.step_t, interval_t=self.judged.interval_t, margin=self.margin
        )
        return None if needed is None else needed - found.num_seeds

    def _find_half_width(self, found: PairedDifference, critical_t: float | None) -> float | None:
        if found.sd is None or found.num_seeds < MIN_SEEDS:
            return None
        if found.sd == 0:
            return 0.0
        if critical_t is None:
            return None
        return critical_t * found.sd / sqrt(found.num_seeds)

    def _find_detectable(
        self, found: PairedDifference, outcome: Outcome
    ) -> tuple[float | None, float | None, float | None]:
        """The detectable difference with the least likely spread, with the one seen, with the greatest."""
        step_t = self.judged.step_t
        if not found.sd or step_t is None or outcome in self.question.outcomes:
            return None, None, None
        # To a tenth, so that it is simulated once for many.
        effect = find_detectable_effect(found.num_seeds, round(step_t, 1), self.level)
        if effect is None:
            return None, None, None
        low, high = find_spread_range(found.num_seeds)
        return low * effect * found.sd, effect * found.sd, high * effect * found.sd
