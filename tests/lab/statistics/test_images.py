"""Interval of a difference for other seeds and other test images: by hand, its limits, coverage."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from benchmarks.images import make_image_scenarios, simulate_images
from lab.statistics.images import find_crossed_interval

NUM_EXPERIMENTS = 300


def draw(*, seed: int, image_lead: float) -> NDArray[np.int8]:
    """Six seeds on 200 images; on some images the first is usually ahead, on others the second."""
    generator = np.random.default_rng(seed)
    lead = image_lead * generator.standard_normal(200)
    return np.sign(np.round(lead + 0.4 * generator.standard_normal((6, 200)))).astype(np.int8)


class TestInterval:
    def test_by_an_independent_count(self) -> None:
        """The analysis of variance cell by cell, where images vary more than chance makes them."""
        cells = draw(seed=1, image_lead=0.5).astype(float)
        mean = cells.mean()
        seed_effects, image_effects = cells.mean(axis=1) - mean, cells.mean(axis=0) - mean
        rest = [cells[s, i] - mean - seed_effects[s] - image_effects[i] for s in range(6) for i in range(200)]
        squares = [
            200 * sum(effect**2 for effect in seed_effects) / 5,
            6 * sum(effect**2 for effect in image_effects) / 199,
            sum(each**2 for each in rest) / (5 * 199),
        ]
        total = squares[0] + squares[1] - squares[2]
        degrees = total**2 / (squares[0] ** 2 / 5 + squares[1] ** 2 / 199 + squares[2] ** 2 / (5 * 199))
        half = stats.t.ppf(0.975, degrees) * math.sqrt(total / (6 * 200))

        assert find_crossed_interval(cells.astype(np.int8)) == pytest.approx((mean - half, mean + half))

    @pytest.mark.parametrize("image_lead", [0.0, 0.02, 0.5])
    def test_is_never_narrower_than_that_of_seeds_alone(self, image_lead: float) -> None:
        for seed in range(20):
            drawn = draw(seed=seed, image_lead=image_lead)
            rates = drawn.mean(axis=1)
            half = stats.t.ppf(0.975, 5) * rates.std(ddof=1) / math.sqrt(6)

            found = find_crossed_interval(drawn)

            assert found is not None
            assert found[0] <= rates.mean() - half + 1e-12
            assert found[1] >= rates.mean() + half - 1e-12

    def test_where_all_seeds_agree_it_is_that_of_the_images(self) -> None:
        row = np.repeat(np.array([1, 0, -1], dtype=np.int8), [30, 960, 10])
        half = stats.norm.ppf(0.975) * row.std(ddof=1) / math.sqrt(1_000)

        found = find_crossed_interval(np.tile(row, (6, 1)))

        assert found == pytest.approx((0.02 - half, 0.02 + half), rel=0.01)

    def test_of_no_difference_at_all_has_no_width(self) -> None:
        assert find_crossed_interval(np.zeros((6, 50), dtype=np.int8)) == (0, 0)

    @pytest.mark.parametrize("shape", [(1, 50), (6, 1)])
    def test_takes_two_seeds_and_two_images(self, shape: tuple[int, int]) -> None:
        assert find_crossed_interval(np.ones(shape, dtype=np.int8)) is None


@pytest.mark.parametrize("name", ["digits_alike", "digits_usual"])
def test_covers_the_true_difference_of_other_seeds_and_images(name: str) -> None:
    (scenario,) = [each for each in make_image_scenarios() if each.name == name]
    least = 0.95 - 3 * math.sqrt(0.95 * 0.05 / NUM_EXPERIMENTS)

    covered = simulate_images(scenario, num_seeds=6, num_experiments=NUM_EXPERIMENTS)

    assert least <= covered.images < covered.bootstrap
