"""Overall test of each factor with three or more levels."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.statistics.omnibus import find_levels_p
from lab.statistics.paired import LEVEL, MIN_SEEDS, adjust_holm
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


def compare_levels(scores: Scores, effects: Sequence[Effect]) -> list[OverallOut]:
    """One test for each factor that has three levels or more; they are one family."""
    factors = dict.fromkeys(effect.factor for effect in effects)
    tables = [
        table
        for factor in factors
        if (table := _tabulate(scores, [effect for effect in effects if effect.factor == factor]))
    ]
    tested = [find_levels_p(table.scores) if table.scores.shape[1] else 1.0 for table in tables]
    return [
        _view(table, p_value=p, p_holm=p_holm, num_tests=len(tables))
        for table, p, p_holm in zip(tables, tested, adjust_holm(tested), strict=True)
    ]


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


def _view(table: _Table, *, p_value: float, p_holm: float, num_tests: int) -> OverallOut:
    num_seeds = table.scores.shape[1]
    means = dict(zip(table.levels, table.scores.mean(axis=1).tolist(), strict=True)) if num_seeds else {}
    found = OverallOut(
        factor=table.factor,
        level_means=means,
        num_settings=table.num_settings,
        num_seeds=num_seeds,
        p_value=p_value if num_seeds else None,
        p_holm=p_holm if num_seeds else None,
        outcome="no_difference_found",
        verdict=f"no difference found between the {len(table.levels)} levels of {table.factor}",
    )
    if shortfall := describe_shortfall(num_seeds, num_tests=num_tests):
        found.outcome = "cannot_conclude"
        few = f" ({num_seeds} completed at every level)" if num_seeds < MIN_SEEDS else ""
        found.verdict = f"cannot conclude: {shortfall}{few}"
    elif p_holm < LEVEL:
        worst, best = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
        found.outcome = "levels_differ"
        found.verdict = (
            f"the levels of {table.factor} are not all alike: from {worst} at {means[worst] * 100:.2f} % to "
            f"{best} at {means[best] * 100:.2f} %; which of them differ, the pairs must tell"
        )
    return found
