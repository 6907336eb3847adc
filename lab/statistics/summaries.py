"""Summaries of one configuration over its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A sample: size, mean, standard deviation (n − 1), 95 % interval of the mean, least and greatest value.

    ``sd`` and the interval are None for a single value.
    """

    n: int
    mean: float
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    min: float
    max: float


def summarize(values: Sequence[float]) -> Summary | None:
    """The sample's figures; None if it is empty. The interval is Student's t, mean ± t·sd/√n."""
    if not values:
        return None
    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    sd = find_sd(sample)
    margin = None if sd is None else find_margin(sd, len(sample))
    return Summary(
        n=len(sample),
        mean=mean,
        sd=sd,
        ci_low=None if margin is None else mean - margin,
        ci_high=None if margin is None else mean + margin,
        min=float(sample.min()),
        max=float(sample.max()),
    )


def find_sd(sample: np.typing.NDArray[np.float64]) -> float | None:
    """Standard deviation with n − 1; exactly 0 of equal values, None of fewer than two."""
    if len(sample) < 2:
        return None
    # Differences of fractions that are equal on paper differ in their last bits.
    spread = float(np.ptp(sample))
    return float(sample.std(ddof=1)) if spread > 1e-12 * max(1.0, float(np.abs(sample).max())) else 0.0


def find_margin(sd: float, num_values: int) -> float:
    """Half the width of the 95 % t interval of a mean of ``num_values``, two or more."""
    return _find_t_quantile(num_values - 1) * sd / sqrt(num_values)


@lru_cache(maxsize=1_024)
def _find_t_quantile(degrees: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))
