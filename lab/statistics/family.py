"""One family of differences judged together: step-down max-T tests and simultaneous intervals.

Sources: Westfall & Young (1993), Resampling-based multiple testing, algorithm 2.8; Romano & Wolf (2005),
Exact and approximate stepdown methods for multiple hypothesis testing, JASA 100.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.statistics.paired import LEVEL, MIN_SEEDS, list_signs

MAX_EXACT_SEEDS = 12
NUM_SIGNS = 8_192
NUM_DRAWS = 4_000
# Numbers held at once.
MOST_AT_ONCE = 2**22
# t is infinite where all differences are the same; this bounds t² at (n − 1)·10^9.
LEAST_REST = 1e-9
# Statistics that are equal on paper differ in their last bits, most of all near that bound.
TIE_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class JudgedFamily:
    """K differences judged together at a level.

    ``p_adjusted`` (K,): the chance, were there no differences, that any of those not found so far looks as
    clear. ``interval_t``: the intervals mean ± interval_t·sd/√n hold for all K at once, with confidence
    1 − level. ``equivalence_t``: the same factor for two one-sided tests of each difference that was not
    found, at the level for them all. ``step_t``: the |t| that a difference not found would have needed. The
    three are None where nothing varies.
    """

    p_adjusted: NDArray[np.float64]
    interval_t: float | None
    equivalence_t: float | None
    step_t: float | None


def judge_family(differences: NDArray[np.float64], *, level: float = LEVEL) -> JudgedFamily:
    """Judge ``differences`` (K, seeds), NaN where a seed has none; rows of fewer than six seeds have p = 1.

    Were two configurations alike, a seed's difference could as well have had the other sign. Signs of whole
    seeds are flipped, of all K differences together, so that what goes together stays together; each
    difference is measured by its own t, so that one that spreads widely hides no other. The chance that
    anything is found that is not there is ``level`` at most where the seeds' vectors of differences are
    symmetric about their means, however unequal their spreads.
    """
    is_judged = (~np.isnan(differences)).sum(axis=1) >= MIN_SEEDS
    p_adjusted = np.ones(len(differences))
    if not is_judged.any():
        return JudgedFamily(p_adjusted=p_adjusted, interval_t=None, equivalence_t=None, step_t=None)
    judged = differences[is_judged]
    p_adjusted[is_judged] = _find_step_down_p(judged)
    is_open = p_adjusted[is_judged] > level
    every, unfound = _draw_largest_t(judged, is_open)
    return JudgedFamily(
        p_adjusted=p_adjusted,
        interval_t=_find_quantile(every, 1 - level),
        equivalence_t=_find_quantile(unfound, 1 - 2 * level),
        step_t=_find_quantile(unfound, 1 - level),
    )


def _find_step_down_p(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p of each row: the share of flips in which its t², or that of a smaller one, is as large."""
    given = ~np.isnan(differences)
    counts = given.sum(axis=1)
    values = np.where(given, differences, 0.0)
    squares = (values**2).sum(axis=1)
    # Without any difference t is 0, whatever the signs.
    scale = counts * np.where(squares > 0, squares, 1.0)

    def measure(signs: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = (signs @ values.T) ** 2 / scale
        t_squared: NDArray[np.float64] = (counts - 1) * shares / np.maximum(1 - shares, LEAST_REST)
        return t_squared

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
    differences: NDArray[np.float64], is_open: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the largest |t| of all rows, and of the open ones, were their means 0.

    Seeds are drawn from the normal distribution that has the residuals' covariance, always with the same
    numbers: sign flips of residuals, whose mean is 0 by construction, would give intervals that are too
    narrow. A row that does not vary has no t.
    """
    given = ~np.isnan(differences)
    means = np.nanmean(differences, axis=1, keepdims=True)
    residuals = np.where(given, differences - means, 0.0)
    varies = np.abs(residuals).max(axis=1) > 1e-12
    residuals, mask, is_open = residuals[varies], given[varies].astype(float), is_open[varies]
    counts = mask.sum(axis=1)
    num_rows, num_seeds = residuals.shape
    every, unfound = [np.zeros(0)], [np.zeros(0)]
    if num_rows == 0:
        return every[0], unfound[0]
    for normal in _draw_normal(num_seeds, num_rows):
        drawn = (normal @ residuals.T) * mask.T  # (draws, seeds, rows)
        mean = drawn.sum(axis=1) / counts
        variance = ((drawn**2).sum(axis=1) - counts * mean**2) / (counts - 1)
        t = np.abs(mean) * np.sqrt(counts / variance)
        every.append(t.max(axis=1))
        if is_open.any():
            unfound.append(t[:, is_open].max(axis=1))
    return np.concatenate(every), np.concatenate(unfound)


def _draw_normal(num_seeds: int, num_rows: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(0)
    step = max(1, min(NUM_DRAWS, MOST_AT_ONCE // (num_seeds * max(num_rows, num_seeds))))
    for start in range(0, NUM_DRAWS, step):
        yield generator.standard_normal((min(step, NUM_DRAWS - start), num_seeds, num_seeds))


def _find_quantile(values: NDArray[np.float64], share: float) -> float | None:
    return float(np.quantile(values, share)) if len(values) else None
