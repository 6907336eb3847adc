"""Differences that a mean describes badly: unequal spreads, or one seed that decides alone.

Source: Agarwal, Schwarzer, Castro, Courville & Bellemare (2021), Deep reinforcement learning at the edge of
the statistical precipice, NeurIPS: interquartile mean and probability of improvement.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lab.statistics.summaries import find_sd

MAX_SPREAD_RATIO = 3.0
MAX_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class RobustDifference:
    """A difference by figures that no single seed can move far.

    ``probability_ahead``: the chance that a run of the first beats one of the second, ties counting half.
    ``sds``: standard deviations of the first and of the second over their seeds. ``largest_share``: the part
    of the sum of squared differences that one seed brings, 0 without any difference.
    """

    median: float
    interquartile_mean: float
    probability_ahead: float
    sds: tuple[float, float]
    largest_share: float

    @property
    def is_spread_unequal(self) -> bool:
        """Whether one spreads more than three times as much as the other."""
        return max(self.sds) > MAX_SPREAD_RATIO * min(self.sds)

    @property
    def is_one_seed_decisive(self) -> bool:
        """Whether one seed brings more than half of the sum of squares."""
        return self.largest_share > MAX_SHARE


def describe_robustly(first: NDArray[np.float64], second: NDArray[np.float64]) -> RobustDifference:
    """Describe the difference of two figures (seeds,), two seeds or more, paired."""
    differences = first - second
    squares = differences**2
    wins = np.sign(np.subtract.outer(first, second))
    return RobustDifference(
        median=float(np.median(differences)),
        interquartile_mean=float(stats.trim_mean(differences, 0.25)),
        probability_ahead=float((wins.mean() + 1) / 2),
        sds=(find_sd(first) or 0.0, find_sd(second) or 0.0),
        largest_share=float(squares.max() / squares.sum()) if squares.any() else 0.0,
    )
