"""One family of differences judged together: step-down max-T tests and simultaneous intervals.

Sources: Westfall & Young (1993), Resampling-based multiple testing, algorithm 2.8; Romano & Wolf (2005),
Exact and approximate stepdown methods for multiple hypothesis testing, JASA 100.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lab.statistics.paired import LEVEL, MIN_SEEDS, list_signs

MAX_EXACT_SEEDS = 12
NUM_SIGNS = 8_192
LEAST_P = 1 / NUM_SIGNS
"""The smallest adjusted p where signs are drawn."""

NUM_DRAWS = 4_000
# Numbers held at once.
MOST_AT_ONCE = 2**22
# t is infinite where all differences are the same; this bounds t² at (n − 1)·10^9.
LEAST_REST = 1e-9
# Statistics that are equal on paper differ in their last bits, most of all near that bound.
TIE_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class JudgedDifference:
    """One difference of a ``JudgedFamily``, which explains the fields."""

    p_adjusted: float
    interval_t: float | None
    step_t: float | None


@dataclass(frozen=True, kw_only=True)
class JudgedFamily:
    """K differences judged together at a level.

    ``p_adjusted`` (K,): the chance, were there no differences, that any of those not found so far looks as
    clear. ``interval_t`` (K,): the intervals mean ± interval_t·sd/√n hold for all K at once, with confidence
    1 − level. ``step_t`` (K,): the |t| that a difference not found would have needed; None where all were
    found. Both are None where nothing varies.
    """

    p_adjusted: NDArray[np.float64]
    interval_t: NDArray[np.float64] | None
    step_t: NDArray[np.float64] | None

    def pick(self, place: int) -> JudgedDifference:
        """The difference in that row."""
        return JudgedDifference(
            p_adjusted=float(self.p_adjusted[place]),
            interval_t=None if self.interval_t is None else float(self.interval_t[place]),
            step_t=None if self.step_t is None else float(self.step_t[place]),
        )


def judge_family(
    differences: NDArray[np.float64], *, groups: Sequence[Hashable] | None = None, level: float = LEVEL
) -> JudgedFamily:
    """Judge ``differences`` (K, seeds), NaN where a seed has none; rows of fewer than six seeds have p = 1.

    ``groups`` (K,) names kinds of differences that are to have an equal share of the chance of a false one,
    so that many of one kind do not drown few of another: each t is measured by what its group would need.

    Were two configurations alike, a seed's difference could as well have had the other sign. Signs of whole
    seeds are flipped, of all K differences together, so that what goes together stays together; each
    difference is measured by its own t, so that one that spreads widely hides no other. The chance that
    anything is found that is not there is ``level`` at most where the seeds' vectors of differences are
    symmetric about their means, however unequal their spreads.
    """
    is_judged = (~np.isnan(differences)).sum(axis=1) >= MIN_SEEDS
    p_adjusted = np.ones(len(differences))
    if not is_judged.any():
        return JudgedFamily(p_adjusted=p_adjusted, interval_t=None, step_t=None)
    judged = differences[is_judged]
    scales = _find_scales(groups, num_rows=len(differences), num_seeds=differences.shape[1])
    p_adjusted[is_judged] = _find_step_down_p(judged, scales[is_judged])
    is_open = p_adjusted[is_judged] > level
    every, unfound = _draw_largest_t(judged, scales[is_judged], is_open)
    return JudgedFamily(
        p_adjusted=p_adjusted,
        interval_t=_scale_quantile(every, 1 - level, scales),
        step_t=_scale_quantile(unfound, 1 - level, scales),
    )


def _find_scales(groups: Sequence[Hashable] | None, *, num_rows: int, num_seeds: int) -> NDArray[np.float64]:
    """Each row's divisor of t: the critical value of its group's share by Bonferroni's inequality.

    It depends on the numbers of groups, rows and seeds alone, not on what was measured.
    """
    if groups is None:
        return np.ones(num_rows)
    sizes = Counter(groups)
    shares = np.array([LEVEL / (len(sizes) * sizes[group]) for group in groups])
    scales: NDArray[np.float64] = stats.t.isf(shares / 2, num_seeds - 1)
    return scales


def _find_step_down_p(differences: NDArray[np.float64], scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p of each row: the share of flips in which its scaled t², or a smaller row's, is as large."""
    given = ~np.isnan(differences)
    counts = given.sum(axis=1)
    values = np.where(given, differences, 0.0)
    squares = (values**2).sum(axis=1)
    # Without any difference t is 0, whatever the signs.
    largest_sum = counts * np.where(squares > 0, squares, 1.0)

    def measure(signs: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = (signs @ values.T) ** 2 / largest_sum
        t_squared: NDArray[np.float64] = (counts - 1) * shares / np.maximum(1 - shares, LEAST_REST)
        return t_squared / scales**2

    signs = _list_joint_signs(differences.shape[1])
    seen = measure(signs[:1])[0]
    order = np.argsort(seen)
    hits = np.zeros(len(differences))
    for part in np.array_split(signs, -(-signs.size * len(differences) // MOST_AT_ONCE)):
        largest = np.maximum.accumulate(measure(part)[:, order], axis=1)
        hits += (largest >= seen[order] * (1 - TIE_TOLERANCE)).sum(axis=0)
    p_values = np.empty(len(differences))
    p_values[order] = np.maximum.accumulate((hits / len(signs))[::-1])[::-1]
    return p_values


def _list_joint_signs(num_seeds: int) -> NDArray[np.float64]:
    """List sign assignments, one per row, the first without a flip.

    All of them up to ``MAX_EXACT_SEEDS``; beyond, ``NUM_SIGNS`` are drawn, always the same.
    """
    if num_seeds <= MAX_EXACT_SEEDS:
        return list_signs(num_seeds)
    drawn = np.random.default_rng(0).choice(np.array([-1.0, 1.0]), size=(NUM_SIGNS, num_seeds))
    drawn[0] = 1.0
    return drawn


def _draw_largest_t(
    differences: NDArray[np.float64], scales: NDArray[np.float64], is_open: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the largest scaled |t| of all rows, and of the open ones, were their means 0.

    Seeds are drawn from the normal distribution that has the residuals' covariance, always with the same
    numbers: sign flips of residuals, whose mean is 0 by construction, would give intervals that are too
    narrow. A row that does not vary has no t.
    """
    given = ~np.isnan(differences)
    means = np.nanmean(differences, axis=1, keepdims=True)
    residuals = np.where(given, differences - means, 0.0)
    varies = np.abs(residuals).max(axis=1) > 1e-12
    residuals, mask, is_open = residuals[varies], given[varies].astype(float), is_open[varies]
    scales = scales[varies]
    counts = mask.sum(axis=1)
    num_rows, num_seeds = residuals.shape
    every, unfound = [np.zeros(0)], [np.zeros(0)]
    if num_rows == 0:
        return every[0], unfound[0]
    for normal in _draw_normal(num_seeds, num_rows):
        drawn = (normal @ residuals.T) * mask.T  # (draws, seeds, rows)
        mean = drawn.sum(axis=1) / counts
        variance = ((drawn**2).sum(axis=1) - counts * mean**2) / (counts - 1)
        t = np.abs(mean) * np.sqrt(counts / variance) / scales
        every.append(t.max(axis=1))
        if is_open.any():
            unfound.append(t[:, is_open].max(axis=1))
    return np.concatenate(every), np.concatenate(unfound)


def _draw_normal(num_seeds: int, num_rows: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(0)
    step = max(1, min(NUM_DRAWS, MOST_AT_ONCE // (num_seeds * max(num_rows, num_seeds))))
    for start in range(0, NUM_DRAWS, step):
        yield generator.standard_normal((min(step, NUM_DRAWS - start), num_seeds, num_seeds))


def _scale_quantile(
    values: NDArray[np.float64], share: float, scales: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """The quantile of largest scaled |t|, as a |t| of each row."""
    return float(np.quantile(values, share)) * scales if len(values) else None
