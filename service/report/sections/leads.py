"""One configuration's lead over another, seen from its side."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from lab.wording import format_signed_points
from service.comparison.finding import Finding
from service.comparison.finding import Outcome as Judged
from service.comparison.schemas import ComparisonOut
from service.report.blocks import Standing

Outcome = Literal["better", "worse", "practically_same", "no_difference_found", "cannot_conclude"]


@dataclass(frozen=True, kw_only=True)
class Lead:
    """The lead of ``first`` over ``second``, as fractions of accuracy."""

    first: str
    second: str
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    num_seeds: int
    outcome: Outcome
    verdict: str
    reason: str | None
    differing: tuple[str, ...]

    @property
    def single_seed_range(self) -> tuple[float, float] | None:
        """The 95 % prediction interval of the lead for one more seed: mean ± t·sd·√(1 + 1/n).

        It is √(n + 1) times as wide as the interval of the mean, ± t·sd/√n.
        """
        if self.difference is None or self.ci_low is None or self.ci_high is None:
            return None
        margin = (self.ci_high - self.ci_low) / 2 * sqrt(self.num_seeds + 1)
        return self.difference - margin, self.difference + margin

    def describe(self) -> str:
        """Describe the measured lead and the verdict in a sentence."""
        measured = f"{self.first} against {self.second}: {write_difference(self, unit=' points')}"
        return f"{measured}; {self.verdict}."


def find_lead(comparison: ComparisonOut, first: str, second: str) -> Lead:
    """Find the pair with these labels, seen from the first."""
    pair = next(pair for pair in comparison.pairs if {pair.a, pair.b} == {first, second})
    sign = 1 if pair.a == first else -1
    ends = [None if end is None else sign * end for end in (pair.ci_low, pair.ci_high)]
    low, high = ends if sign == 1 else ends[::-1]
    return Lead(
        first=first,
        second=second,
        difference=None if pair.difference is None else sign * pair.difference,
        ci_low=low,
        ci_high=high,
        num_seeds=pair.num_seeds,
        outcome=turn(pair.outcome, sign),
        verdict=pair.verdict,
        reason=pair.reason,
        differing=tuple(pair.differing),
    )


def write_difference(found: Lead | Finding, *, unit: str = "") -> str:
    """Write a difference in signed points with its interval, or a dash."""
    if found.difference is None:
        return "–"
    words = f"{format_signed_points(found.difference)}{unit}"
    if found.ci_low is None or found.ci_high is None:
        return words
    return f"{words} {write_range((found.ci_low, found.ci_high))}"


def write_range(ends: tuple[float, float] | None) -> str:
    """Write an interval in signed points, or a dash."""
    return f"[{format_signed_points(ends[0])}, {format_signed_points(ends[1])}]" if ends else "–"


def sum_up(outcomes: Sequence[Outcome]) -> Standing:
    """The standing of a claim that would make every outcome “better”."""
    if all(outcome == "better" for outcome in outcomes):
        return Standing.SUPPORTED
    if "worse" in outcomes:
        return Standing.CONTRADICTED if "better" not in outcomes else Standing.CONTRADICTED_IN_PART
    if "better" in outcomes:
        return Standing.SUPPORTED_IN_PART
    if all(outcome == "practically_same" for outcome in outcomes):
        return Standing.PRACTICALLY_SAME
    return Standing.CANNOT_CONCLUDE if "cannot_conclude" in outcomes else Standing.NOT_SUPPORTED


def turn(outcome: Judged, sign: int) -> Outcome:
    """The outcome from the side of the first, or, with sign −1, of the second."""
    match outcome:
        case "a_better":
            return "better" if sign == 1 else "worse"
        case "b_better":
            return "worse" if sign == 1 else "better"
        case "no_difference_found" | "practically_same":
            return outcome
        case _:
            return "cannot_conclude"
