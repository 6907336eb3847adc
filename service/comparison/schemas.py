"""Answer of GET /experiments/{id}/comparison."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.comparison.finding import Finding
from service.comparison.scores import Metric
from service.experiments.responses import LookOut


class DisagreementOut(BaseModel):
    """Test images that only one of the two classifies correctly with this seed."""

    seed: int
    only_a_correct: int
    only_b_correct: int
    p_value: float = Field(
        description="McNemar's exact p for these two networks; says nothing of other seeds."
    )


class PairOut(Finding):
    """Two configurations; ``difference`` is a's figure minus b's."""

    a: str
    b: str
    differing: list[str] = Field(description="Factors in which they differ; more than one is confounded.")
    to_settle: str | None = Field(None, description="What would settle the pair, in words, if it is open.")
    mcnemar: list[DisagreementOut] | None = Field(
        description="By seed; null where other figures are compared or the true classes cannot be read."
    )


class EffectOut(Finding):
    """One factor changed from b_level to a_level, everything else the same."""

    factor: str
    a_level: str
    b_level: str
    a: str
    b: str
    held_fixed: dict[str, str]


class AverageEffectOut(Finding):
    """The same change averaged, seed by seed, over everything it was made at."""

    factor: str
    a_level: str
    b_level: str
    averaged_over: list[dict[str, str]]


class InteractionOut(Finding):
    """How one normalization's lead over another depends on the level of another factor.

    ``difference``: a's lead over b at ``level`` minus its lead at ``other_level``.
    """

    a_level: str
    b_level: str
    factor: str
    level: str
    other_level: str


class OverallOut(BaseModel):
    """The overall test of one factor, averaged over the settings of the others."""

    factor: str
    level_means: dict[str, float] = Field(description="Mean accuracy of each level, a fraction.")
    num_settings: int = Field(description="Settings of the other factors that have every level.")
    num_seeds: int = Field(description="Seeds that are completed at every level.")
    p_value: float | None = Field(description="Max-T of all differences of levels, by itself.")
    p_adjusted: float | None = Field(description="The same within everything that the answer asserts.")
    outcome: Literal["levels_differ", "no_difference_found", "cannot_conclude"]
    verdict: str


class FactorsOut(BaseModel):
    """The factors of a grid one by one."""

    overall: list[OverallOut] = Field(description="Factors of three levels or more, each as one question.")
    effects: dict[str, list[EffectOut]] = Field(description="By factor.")
    averages: dict[str, list[AverageEffectOut]] = Field(description="By factor.")
    interactions: list[InteractionOut]
    warnings: list[str]


class ComparisonOut(BaseModel):
    """Every pair of an experiment's configurations, and the factors that they are made of."""

    experiment_id: int
    dataset: str
    status: str
    metric: Metric
    configurations: list[str]
    seeds: list[int]
    level: float
    looks: list[LookOut] = Field(
        description="All looks, planned ones still to come included; empty if no seeds were added."
    )
    min_seeds: int = Field(description="The fewest seeds that can conclude anything.")
    margin: float = Field(description="Differences up to this are practically none; a fraction.")
    warnings: list[str]
    pairs: list[PairOut]
    factors: FactorsOut | None
    method: dict[str, Any]
