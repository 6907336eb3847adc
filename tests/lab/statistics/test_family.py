"""Differences judged together: adjusted p by hand, false alarms, coverage and power by simulation."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.statistics.family import MAX_EXACT_SEEDS, NUM_SIGNS, judge_family
from lab.statistics.paired import LEVEL, find_sign_flip_p

NUM_EXPERIMENTS = 400
MOST_ALARMS = LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / NUM_EXPERIMENTS)


def subtract_pairs(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([a - b for a, b in itertools.combinations(scores, 2)])


class TestAdjustedP:
    def test_of_one_difference_is_the_sign_flip_p(self) -> None:
        for seed in range(20):
            differences = np.random.default_rng(seed).normal(0.5, 1, 8)
            assert judge_family(differences[np.newaxis]).p_adjusted == [find_sign_flip_p(differences)]

    def test_of_two_by_an_independent_count(self) -> None:
        """Every sign assignment spelled out, t by its definition, the largest p of a step carried on."""
        a = np.array([0.9, 1.1, 0.8, 1.3, 1.0, 1.2])
        b = np.array([0.5, -0.2, 0.6, 0.3, -0.1, 0.9])

        def find_t(values: NDArray[np.float64]) -> float:
            return abs(float(values.mean() / values.std(ddof=1)))

        flips = [np.array(signs) for signs in itertools.product([1, -1], repeat=6)]
        p_a = np.mean([max(find_t(s * a), find_t(s * b)) >= find_t(a) - 1e-9 for s in flips])
        p_b = np.mean([find_t(s * b) >= find_t(b) - 1e-9 for s in flips])

        found = judge_family(np.stack([b, a])).p_adjusted
        assert found == pytest.approx([max(p_a, p_b), p_a])

    def test_six_seeds_can_find_any_number_of_clear_differences(self) -> None:
        scores = np.arange(8)[:, np.newaxis] + np.random.default_rng(0).normal(0, 0.01, (8, 6))

        assert set(judge_family(subtract_pairs(scores)).p_adjusted) == {2 / 64}

    def test_does_not_depend_on_what_seeds_have_in_common_or_on_units(self) -> None:
        scores = np.random.default_rng(2).normal(size=(4, 7))
        found = judge_family(subtract_pairs(scores)).p_adjusted

        assert judge_family(subtract_pairs(1e-3 * scores + np.arange(7))).p_adjusted == pytest.approx(found)

    def test_rows_of_few_seeds_conclude_nothing_and_cost_nothing(self) -> None:
        clear = np.random.default_rng(3).normal(5, 1, 7)
        few = np.array([1.0, 1.0, 1.0, np.nan, np.nan, np.nan, np.nan])
        found = judge_family(np.stack([clear, few, np.full(7, np.nan)]))

        assert found.p_adjusted == pytest.approx([2 / 128, 1.0, 1.0])
        assert judge_family(few[np.newaxis]).interval_t is None

    def test_many_of_one_group_do_not_drown_one_of_another(self) -> None:
        rng = np.random.default_rng(8)
        differences = np.stack([*rng.normal(0, 1, (60, 9)), rng.normal(1.4, 1, 9)])
        grouped = judge_family(differences, groups="A" * 60 + "B")
        alone = judge_family(differences)

        assert grouped.p_adjusted[-1] < LEVEL < alone.p_adjusted[-1]
        assert grouped.interval_t is not None
        assert alone.interval_t is not None
        assert grouped.interval_t[-1] < alone.interval_t[-1] < grouped.interval_t[0]

    def test_of_equal_scores_is_one(self) -> None:
        found = judge_family(np.zeros((3, 6)))

        assert (found.p_adjusted.tolist(), found.interval_t) == ([1.0] * 3, None)

    def test_of_many_seeds_is_sampled_and_the_same_every_time(self) -> None:
        clear = np.random.default_rng(3).normal(5, 1, (1, 2 * MAX_EXACT_SEEDS))

        assert judge_family(clear).p_adjusted == judge_family(clear).p_adjusted == [1 / NUM_SIGNS]


@pytest.mark.slow
class TestErrorRates:
    @pytest.mark.parametrize("groups", [None, "AABBBB"])
    @pytest.mark.parametrize("spreads", [(1, 1, 1, 1), (1, 1, 1, 10)])
    def test_any_false_alarm_and_any_interval_that_misses(
        self, spreads: tuple[float, ...], groups: str | None
    ) -> None:
        rng = np.random.default_rng(4)
        alarms = covered = 0
        for scores in rng.standard_normal((NUM_EXPERIMENTS, 4, 8)) * np.array(spreads)[:, np.newaxis]:
            differences = subtract_pairs(scores)
            found = judge_family(differences, groups=groups)
            assert found.interval_t is not None
            half = found.interval_t * differences.std(axis=1, ddof=1) / math.sqrt(8)
            alarms += found.p_adjusted.min() <= LEVEL
            covered += bool((np.abs(differences.mean(axis=1)) <= half).all())

        assert 0 < alarms / NUM_EXPERIMENTS <= MOST_ALARMS
        assert covered / NUM_EXPERIMENTS >= 1 - MOST_ALARMS

    def test_a_level_that_spreads_hides_no_other(self) -> None:
        """Levels at 0, 1.5 and 3 SD beside one that spreads ten times as much: they differ."""
        rng = np.random.default_rng(5)
        spreads, means = np.array([1, 1, 1, 10]), np.array([0, 1.5, 3, 0])
        found = 0
        for noise in rng.standard_normal((200, 4, 10)):
            scores = means[:, np.newaxis] + spreads[:, np.newaxis] * noise
            found += judge_family(subtract_pairs(scores)).p_adjusted.min() <= LEVEL

        assert found / 200 > 0.9
