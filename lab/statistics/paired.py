"""Differences between two configurations, paired by seed: how large, how certain, how surprising.

The seed fixes initial weights, order and rotations alike for both, so only their difference within a seed is
looked at. What is inferred holds for other seeds on the same test set; ``images`` is about other images.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lab.statistics.summaries import find_margin, find_sd

LEVEL = 0.05
POWER = 0.8
MIN_SEEDS = 6
"""The fewest with which the exact two-sided sign-flip test can reach ``LEVEL``: 2 / 2^6 = 0.031."""

MAX_EXACT_SEEDS = 16
MOST_SEEDS = 100
NUM_RESAMPLES = 65_535
# Beyond, the sign-flip test has as much power as the t test.
MAX_FLIPPED_SEEDS = 10
# Sums of the same fractions in another order differ in their last bits; they are ties all the same.
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """The difference of one pair over its seeds, as fractions of accuracy.

    ``effect_size`` is Hedges' g_z: mean / sd of the differences (Cohen's d_z), times 1 − 3/(4(n − 1) − 1)
    against its bias in small samples. It is None where the differences do not vary, and below three seeds,
    where that factor is 0. ``sd`` and the t interval are None for a single seed.
    """

    num_seeds: int
    num_ties: int
    difference: float
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float
    smallest_p: float
    effect_size: float | None


def describe_differences(differences: NDArray[np.float64]) -> PairedDifference:
    """The paired difference of at least one seed."""
    n = len(differences)
    mean = float(differences.mean())
    sd = find_sd(differences)
    margin = None if sd is None else find_margin(sd, n)
    return PairedDifference(
        num_seeds=n,
        num_ties=int((np.abs(differences) <= TIE_TOLERANCE).sum()),
        difference=mean,
        sd=sd,
        ci_low=None if margin is None else mean - margin,
        ci_high=None if margin is None else mean + margin,
        p_value=find_sign_flip_p(differences),
        smallest_p=find_smallest_p(n),
        effect_size=mean / sd * (1 - 3 / (4 * (n - 1) - 1)) if sd and n > 2 else None,
    )


def find_sign_flip_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p of the paired sign-flip test on the mean (Fisher's randomization test).

    If the two configurations were alike, each seed's difference could as well have had the other sign. p is
    the share of all 2^n sign assignments whose mean is at least as far from 0 as the one seen: exact up to
    ``MAX_EXACT_SEEDS``, for two that are alike and whenever differences are symmetric about 0. Beyond,
    ``NUM_RESAMPLES`` assignments are drawn, always the same, and p is (hits + 1) / (draws + 1), so that it
    never promises too much.
    """
    seen = abs(float(differences.sum()))
    signs = list_signs(len(differences))
    hits = int((np.abs(signs @ differences) >= seen - TIE_TOLERANCE * len(differences)).sum())
    return hits / len(signs) if len(differences) <= MAX_EXACT_SEEDS else (hits + 1) / (len(signs) + 1)


def find_smallest_p(num_seeds: int) -> float:
    """The smallest p that so many seeds can reach: 2 / 2^n, when all differences have one sign."""
    return max(min(1.0, 2.0 ** (1 - num_seeds)), 1 / (NUM_RESAMPLES + 1))


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values by Holm's step-down method (1979), in the order given.

    Calling different whatever falls below α is wrong even once with probability α at most.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return [float(value) for value in adjusted]


@lru_cache(maxsize=1_024)
def find_detectable_effect(num_seeds: int, critical_t: float, level: float = LEVEL) -> float | None:
    """The effect e for which a true difference of e·sd is found with 80 % power, sd being that of a sample.

    Found means |t| > ``critical_t`` and, up to ``MAX_FLIPPED_SEEDS`` seeds, a sign-flip p of ``level`` at
    most, whose few values cost power. The minimal detectable effect (Bloom 1995) of the test that decides, if
    differences are normal; simulated, always with the same draws. The sample's sd strays from the true one:
    the power is that of such statements on average, not that with the sample's sd taken for the truth. None
    where so few seeds find nothing, however large.
    """
    if find_smallest_p(num_seeds) > level:
        return None
    num_draws = 4_000 if num_seeds <= MAX_FLIPPED_SEEDS else 10_000
    generator = np.random.default_rng(0)
    draws = generator.standard_normal((num_draws, num_seeds))
    sds = np.sqrt(generator.chisquare(num_seeds - 1, (num_draws, 1)) / (num_seeds - 1))
    signs = list_signs(num_seeds) if num_seeds <= MAX_FLIPPED_SEEDS else None

    def is_enough(effect: float) -> bool:
        samples = draws + effect * sds
        t = np.abs(samples.mean(axis=1)) / samples.std(axis=1, ddof=1) * sqrt(num_seeds)
        is_found = t > critical_t
        if signs is not None:
            sums = np.abs(samples @ signs.T)
            # The first assignment is that of the signs as they are.
            is_found &= (sums >= sums[:, :1] - TIE_TOLERANCE).mean(axis=1) <= level
        return bool(is_found.mean() >= POWER)

    effects = np.linspace(0, 20, 2_001)
    return float(effects[min(bisect_left(effects, True, key=is_enough), len(effects) - 1)])


def count_seeds_to_settle(
    found: PairedDifference, *, step_t: float, interval_t: float, margin: float
) -> int | None:
    """Count the seeds, up to ``MOST_SEEDS``, that settle a difference if it and its spread stay as they are.

    Settled means found, at the quantile of t that ``step_t`` is, or within ``margin``, at that of
    ``interval_t``, each at half of its level: that of a further look, which nobody planned. None where so
    many do not.
    """
    if not found.sd:
        return None
    seeds = np.arange(found.num_seeds + 1, MOST_SEEDS + 1)
    tails = [stats.t.sf(t, found.num_seeds - 1) / 2 for t in (step_t, interval_t)]
    to_find, to_bound = (stats.t.isf(tail, seeds - 1) * found.sd / np.sqrt(seeds) for tail in tails)
    size = abs(found.difference)
    is_settled = (size > to_find) | (size + to_bound <= margin)
    return int(seeds[is_settled.argmax()]) if is_settled.any() else None


def find_spread_range(num_seeds: int) -> tuple[float, float]:
    """Factors of a sample's sd between which the true one lies, with 95 % confidence (chi-squared)."""
    degrees = num_seeds - 1
    low, high = stats.chi2.ppf([1 - LEVEL / 2, LEVEL / 2], degrees)
    return sqrt(degrees / low), sqrt(degrees / high)


@lru_cache(maxsize=8)
def list_signs(num_seeds: int) -> NDArray[np.float64]:
    """List sign assignments, one per row; of each and its negative only one, as |mean| is the same."""
    if num_seeds > MAX_EXACT_SEEDS:
        return np.random.default_rng(0).choice(np.array([-1.0, 1.0]), size=(NUM_RESAMPLES, num_seeds))
    numbers = np.arange(2 ** (num_seeds - 1))[:, np.newaxis]
    return np.where(numbers >> np.arange(num_seeds) & 1, -1.0, 1.0)


def find_mcnemar_p(only_first: NDArray[np.int64], only_second: NDArray[np.int64]) -> NDArray[np.float64]:
    """McNemar's exact two-sided p of counts of images that only one of two networks classifies correctly.

    About the two networks trained and other test images like these, not about other seeds; never to be
    pooled over seeds, since the same images come again with each.
    """
    smaller, total = np.minimum(only_first, only_second), only_first + only_second
    p_values: NDArray[np.float64] = np.minimum(1.0, 2 * stats.binom.cdf(smaller, total, 0.5))
    return p_values
