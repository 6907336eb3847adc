"""Differences that a mean describes badly."""

import numpy as np
import pytest

from lab.statistics.robust import describe_robustly


def test_by_hand() -> None:
    first = np.array([0.9, 0.9, 0.9, 0.5])
    second = np.array([0.8, 0.9, 0.8, 0.8])

    found = describe_robustly(first, second)

    # Differences 0.1, 0, 0.1, −0.3; the middle half is 0 and 0.1.
    assert found.median == pytest.approx(0.05)
    assert found.interquartile_mean == pytest.approx(0.05)
    # Of 16 pairs of runs, 9 are won, 3 tied, 4 lost.
    assert found.probability_ahead == pytest.approx((9 + 1.5) / 16)
    assert found.sds == pytest.approx((0.2, 0.05))
    assert found.is_spread_unequal
    # Squares: 0.01, 0, 0.01, 0.09.
    assert found.largest_share == pytest.approx(0.09 / 0.11)
    assert found.is_one_seed_decisive


def test_of_equal_figures_has_nothing_to_say() -> None:
    found = describe_robustly(np.full(6, 0.9), np.full(6, 0.9))

    assert (found.probability_ahead, found.largest_share) == (0.5, 0.0)
    assert not found.is_spread_unequal
    assert not found.is_one_seed_decisive
