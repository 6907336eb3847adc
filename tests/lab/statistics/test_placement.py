"""Cases placed among the controls of their class."""

import numpy as np
import pytest

from lab.statistics.placement import Values, place_cases

CONFIDENCE = 0.95
NUM_DRAWS = 400


def test_places_each_case_within_its_class_and_ties_count_half() -> None:
    # The second class is higher throughout; its case lies below four of its controls and ties with one.
    values = np.array([1, 2, 3, 4, 5, 3.5, 11, 12, 13, 14, 15, 11], dtype=float)
    is_case = np.isin(np.arange(12), (5, 11))
    classes = np.repeat([0, 1], 6)

    placement = place_cases(values, is_case, classes, confidence=CONFIDENCE)

    assert placement is not None
    assert (placement.num_cases, placement.low, placement.high) == (2, None, None)
    assert placement.chance == pytest.approx((0.6 + 0.1) / 2)
    assert (placement.case_mean, placement.control_mean) == (7.25, 8.0)


def test_leaves_out_cases_without_controls() -> None:
    is_case = np.array([True, False, False, False, False])

    assert place_cases(np.arange(5.0), is_case, np.zeros(5, dtype=np.int64), confidence=CONFIDENCE) is None
    assert place_cases(np.arange(5.0), ~is_case & is_case, np.arange(5), confidence=CONFIDENCE) is None


def measure_coverage(
    shift: float, *, is_rare: bool = False, num_values: int = 600, num_cases: int = 20, num_classes: int = 10
) -> float:
    """The share of intervals that hold the true chance, over draws of values in classes that differ."""
    generator = np.random.default_rng(0)
    held = []
    for _ in range(NUM_DRAWS):
        classes = generator.integers(0, num_classes, num_values)
        is_case = np.zeros(num_values, dtype=bool)
        # Half of the cases are of one class.
        odds = np.where(classes == 8, 9.0, 1.0)
        is_case[generator.choice(num_values, num_cases, replace=False, p=odds / odds.sum())] = True
        values: Values = generator.normal(size=num_values) + classes + shift * is_case
        if is_rare:
            values = (generator.random(num_values) < 0.04).astype(float)
        placement = place_cases(values, is_case, classes, confidence=CONFIDENCE)
        assert placement is not None
        assert placement.low is not None
        assert placement.high is not None
        # Φ(shift / √2).
        truth = {0.0: 0.5, 1.0: 0.760250}[shift]
        held.append(placement.low <= truth <= placement.high)
    return float(np.mean(held))


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("few", ["cases", "controls"])
def test_the_interval_holds_the_true_chance(shift: float, few: str) -> None:
    coverage = (
        measure_coverage(shift, num_values=68, num_cases=60, num_classes=1)
        if few == "controls"
        else measure_coverage(shift)
    )

    assert coverage >= CONFIDENCE - 3 * (CONFIDENCE * (1 - CONFIDENCE) / NUM_DRAWS) ** 0.5


def test_few_cases_that_all_lack_a_rare_value_show_no_difference() -> None:
    assert measure_coverage(0.0, is_rare=True, num_cases=10) >= CONFIDENCE


def test_where_nothing_varies_the_interval_is_a_point() -> None:
    is_case = np.arange(30) < 10

    placement = place_cases(np.ones(30), is_case, np.zeros(30, dtype=np.int64), confidence=CONFIDENCE)

    assert placement is not None
    assert (placement.low, placement.chance, placement.high) == (0.5, 0.5, 0.5)
