"""The finding on one difference: its figures, its outcome, its verdict in words."""

from typing import Literal

from pydantic import BaseModel, Field

Outcome = Literal[
    "a_better", "b_better", "interaction", "practically_same", "no_difference_found", "cannot_conclude"
]


class Finding(BaseModel):
    """A difference, its uncertainty, and the verdict. A difference of 0.01 is one point."""

    difference: float | None = Field(None, description="Mean difference over the seeds; null without any.")
    ci_low: float | None = Field(
        None, description="95 % t interval of this difference alone; null below two seeds."
    )
    ci_high: float | None = None
    simultaneous_low: float | None = Field(
        None,
        description="Interval at confidence 1 − level that holds for all differences of the answer at once.",
    )
    simultaneous_high: float | None = None
    p_value: float | None = Field(None, description="Two-sided exact sign-flip p, not adjusted.")
    p_adjusted: float | None = Field(
        None, description="Step-down max-T p by joint sign flips, adjusted for num_tests; decides."
    )
    p_holm: float | None = Field(None, description="p_value adjusted by Holm's method; decides nothing.")
    num_tests: int = Field(description="Differences that are judged together.")
    effect_size: float | None = Field(None, description="Hedges' g_z of the paired differences.")
    num_seeds: int = Field(description="Seeds that pair up.")
    num_ties: int = Field(0, description="Seeds on which there is no difference at all.")
    smallest_p: float | None = Field(None, description="The smallest p_value that so many seeds can reach.")
    detectable_difference: float | None = Field(
        None,
        description="The true difference that such seeds find four times in five, corrected as here; null "
        "where the difference was found or nothing could be.",
    )
    detectable_low: float | None = Field(
        None, description="The same with the least and greatest spread that the seeds leave possible (95 %)."
    )
    detectable_high: float | None = None
    margin: float = Field(description="Differences up to this are practically none.")
    median_difference: float | None = None
    interquartile_mean: float | None = Field(None, description="Mean of the middle half of the differences.")
    probability_ahead: float | None = Field(
        None, description="Chance that a run of a beats a run of b, whatever their seeds; ties count half."
    )
    seeds_to_settle: int | None = Field(
        None,
        description="About how many more seeds would find this difference or show it within the margin, if "
        "difference and spread stay as they are; null where it is settled, and above 100 seeds.",
    )
    outcome: Outcome
    verdict: str
    reason: str | None = Field(None, description="Why it cannot be concluded; null where something can.")
    warnings: list[str]
