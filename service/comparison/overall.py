"""Overall test of each factor with three or more levels."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.statistics.family import judge_family
from service.comparison.finding import Finding
from service.comparison.grid import Effect
from service.comparison.schemas import OverallOut
from service.comparison.scores import Scores
from service.comparison.verdicts import describe_shortfall


@dataclass(frozen=True, kw_only=True)
class _Table:
    """A factor's scores, (levels, seeds), averaged over every setting of the rest that has all levels."""

    factor: str
    levels: list[str]
    scores: NDArray[np.float64]
    num_settings: int


def view_levels(
    scores: Scores, effects: Sequence[Effect], asked: Mapping[str, Sequence[Finding]], *, level: float
) -> list[OverallOut]:
    """The overall answer for each factor that has three levels or more.

    ``asked`` are the findings on a factor's levels, averaged over the rest: whether they differ at all is
    their max-T test, so p is the smallest of theirs.
    """
    tables = [
        table
        for factor in asked
        if (table := _tabulate(scores, [effect for effect in effects if effect.factor == factor]))
    ]
    return [_view(table, asked[table.factor], level=level) for table in tables]


def _tabulate(scores: Scores, effects: Sequence[Effect]) -> _Table | None:
    by_setting: dict[tuple[tuple[str, str], ...], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    levels: dict[str, None] = {}
    for effect in effects:
        setting = by_setting[tuple(effect.held_fixed.items())]
        for level, place in zip(effect.levels, effect.pair, strict=True):
            setting[level].add(place)
            levels[level] = None
    full = [
        [next(iter(setting[level])) for level in levels]
        for setting in by_setting.values()
        if all(len(setting[level]) == 1 for level in levels)
    ]
    if len(levels) < 3 or not full:
        return None
    mean = np.mean([scores.values[places] for places in full], axis=0)
    is_known = ~np.isnan(mean).any(axis=0)
    return _Table(
        factor=effects[0].factor, levels=list(levels), scores=mean[:, is_known], num_settings=len(full)
    )


def _view(table: _Table, asked: Sequence[Finding], *, level: float) -> OverallOut:
    num_seeds = table.scores.shape[1]
    means = dict(zip(table.levels, table.scores.mean(axis=1).tolist(), strict=True)) if num_seeds else {}
    found = OverallOut(
        factor=table.factor,
        level_means=means,
        num_settings=table.num_settings,
        num_seeds=num_seeds,
        p_value=_test_alone(table.scores) if num_seeds else None,
        p_adjusted=min((one.p_adjusted or 1.0 for one in asked), default=1.0) if num_seeds else None,
        outcome="no_difference_found",
        verdict=f"no difference found between the {len(table.levels)} levels of {table.factor}",
    )
    if shortfall := describe_shortfall(num_seeds):
        found.outcome = "cannot_conclude"
        found.verdict = f"cannot conclude: {shortfall} ({num_seeds} completed at every level)"
    elif found.p_adjusted is not None and found.p_adjusted <= level:
        worst, best = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
        found.outcome = "levels_differ"
        found.verdict = (
            f"the levels of {table.factor} are not all alike: from {worst} at {means[worst] * 100:.2f} % to "
            f"{best} at {means[best] * 100:.2f} %; which of them differ, the pairs must tell"
        )
    return found


def _test_alone(scores: NDArray[np.float64]) -> float:
    """The max-T p of all differences of levels, (levels, seeds), as if nothing else were asked."""
    differences = np.stack([a - b for a, b in itertools.combinations(scores, 2)])
    return float(judge_family(differences).p_adjusted.min())
