"""The arithmetic of comparisons, against values worked by hand and by simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from lab.statistics.paired import (
    LEVEL,
    MIN_SEEDS,
    NUM_RESAMPLES,
    adjust_holm,
    count_seeds_to_settle,
    describe_differences,
    find_detectable_effect,
    find_mcnemar_p,
    find_sign_flip_p,
    find_smallest_p,
    find_spread_range,
)
from lab.statistics.summaries import summarize


class TestSummary:
    def test_of_three_values_by_hand(self) -> None:
        summary = summarize([0.97, 0.98, 0.99])

        assert summary is not None
        # sd = √((0.01² + 0 + 0.01²) / 2) = 0.01, and t(0.975; 2) = 4.302653 in any table.
        margin = 4.302653 * 0.01 / math.sqrt(3)
        assert (summary.n, summary.min, summary.max) == (3, 0.97, 0.99)
        assert summary.mean == pytest.approx(0.98)
        assert summary.sd == pytest.approx(0.01)
        assert summary.ci_low == pytest.approx(0.98 - margin, abs=1e-7)
        assert summary.ci_high == pytest.approx(0.98 + margin, abs=1e-7)

    def test_of_one_value_knows_no_spread(self) -> None:
        summary = summarize([0.5])

        assert summary is not None
        assert (summary.n, summary.mean, summary.sd, summary.ci_low, summary.ci_high) == (
            1,
            0.5,
            None,
            None,
            None,
        )

    def test_of_equal_values_has_no_spread_at_all(self) -> None:
        summary = summarize([0.1 + 0.2, 0.3, 0.3])

        assert summary is not None
        assert summary.sd == 0.0
        assert summarize([]) is None


class TestSignFlip:
    def test_of_three_differences_by_hand(self) -> None:
        # Sums over all ±1 ±2 ±4: 7 5 3 1 and their negatives; four are as far out as −1 + 2 + 4 = 5.
        assert find_sign_flip_p(np.array([-0.01, 0.02, 0.04])) == 4 / 8

    def test_of_equal_signs_is_the_smallest_there_is(self) -> None:
        for n in range(1, 13):
            differences = np.linspace(0.001, 0.02, n)
            assert find_sign_flip_p(differences) == find_sign_flip_p(-differences) == find_smallest_p(n)
        assert find_smallest_p(5) > LEVEL > find_smallest_p(MIN_SEEDS) == 2 / 64

    def test_ties_count_as_far_as_they_tie(self) -> None:
        assert find_sign_flip_p(np.zeros(6)) == 1.0
        # Two of four differ: as if there were two seeds. Their order must not matter to the last bit.
        assert find_sign_flip_p(np.array([0.1, 0.0, 0.2, 0.0])) == 0.5
        thirds = [0.1, 0.2, 0.3, -0.3, -0.2, 0.4]
        assert len({find_sign_flip_p(np.array(order)) for order in itertools.permutations(thirds)}) == 1

    @pytest.mark.parametrize("num_seeds", [4, 9])
    def test_agrees_with_scipy(self, num_seeds: int) -> None:
        differences = np.random.default_rng(num_seeds).normal(0.3, 1, num_seeds)
        expected = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
        )

        assert find_sign_flip_p(differences) == pytest.approx(expected.pvalue)

    def test_of_many_seeds_is_sampled_and_the_same_every_time(self) -> None:
        differences = np.random.default_rng(1).normal(0.4, 1, 20)
        p = find_sign_flip_p(differences)

        assert p == find_sign_flip_p(differences)
        assert p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
        assert find_sign_flip_p(np.ones(40)) == find_smallest_p(40) == 1 / (NUM_RESAMPLES + 1)

    @pytest.mark.parametrize("num_seeds", [6, 8])
    def test_false_alarms_stay_below_the_level(self, num_seeds: int) -> None:
        """Without a true difference, heavy tails or not, p ≤ 0.05 comes at most in 5 of 100 experiments."""
        rng = np.random.default_rng(7)
        shape = (4_000, num_seeds)
        for samples in (rng.normal(size=shape), rng.standard_t(2, shape) - rng.standard_t(2, shape)):
            rate = float(np.mean([find_sign_flip_p(sample) <= LEVEL for sample in samples]))
            # Three standard errors of a rate of 0.05 among 4,000.
            assert rate <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / 4_000)

    def test_holm_keeps_the_rate_of_any_false_alarm_below_the_level(self) -> None:
        rng = np.random.default_rng(3)
        alarms = 0
        for scores in rng.standard_normal((1_000, 4, 9)):
            pairs = [a - b for a, b in itertools.combinations(scores, 2)]
            alarms += min(adjust_holm([find_sign_flip_p(pair) for pair in pairs])) < LEVEL
        assert alarms / 1_000 <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / 1_000)


class TestPairedDifference:
    def test_of_four_seeds_by_hand(self) -> None:
        found = describe_differences(np.array([0.01, 0.02, 0.03, 0.02]))

        sd = 0.01 * math.sqrt(2 / 3)
        margin = 3.182446 * sd / 2
        assert (found.num_seeds, found.num_ties, found.p_value) == (4, 0, 2 / 16)
        assert found.difference == pytest.approx(0.02)
        assert (found.ci_low, found.ci_high) == pytest.approx((0.02 - margin, 0.02 + margin), abs=1e-7)
        # d_z = 0.02 / sd; Hedges' factor for 3 degrees of freedom is 1 − 3/11.
        assert found.effect_size == pytest.approx(0.02 / sd * 8 / 11)

    def test_has_no_effect_size_where_nothing_varies(self) -> None:
        found = describe_differences(np.array([0.25, 0.3 - 0.05, 0.25]))

        assert (found.sd, found.ci_low, found.ci_high, found.effect_size) == (0.0, 0.25, 0.25, None)
        # Hedges' factor for two is 0, which would say that there is none.
        assert describe_differences(np.array([0.1, 0.2])).effect_size is None

    def test_interval_covers_the_true_difference_in_95_of_100(self) -> None:
        samples = np.random.default_rng(5).normal(0.3, 1, (2_000, 6))
        found = [describe_differences(sample) for sample in samples]
        covered = np.mean([(f.ci_low or 0) <= 0.3 <= (f.ci_high or 0) for f in found])

        assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 2_000))


class TestHolm:
    def test_by_hand(self) -> None:
        # Sorted 0.01 0.02 0.04, times 3, 2, 1 → 0.03 0.04 0.04.
        assert adjust_holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
        assert adjust_holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
        assert adjust_holm([]) == []


class TestDetectableEffect:
    def test_where_only_equal_signs_will_do_by_hand(self) -> None:
        """Six differences d + z, in units of a sample's sd: all have the right sign with Φ(d·s)^6."""
        degrees = 5
        spreads = np.sqrt(stats.chi2.ppf((np.arange(2_000) + 0.5) / 2_000, degrees) / degrees)
        effects = np.linspace(1, 4, 301)
        powers = [float((stats.norm.cdf(effect * spreads) ** 6).mean()) for effect in effects]
        expected = effects[np.searchsorted(powers, 0.8)]

        assert find_detectable_effect(6, 0.0) == pytest.approx(expected, rel=0.05)

    @pytest.mark.parametrize(("num_seeds", "critical_t"), [(8, 2.4), (20, 3.0)])
    def test_is_found_in_80_of_100_with_the_spread_estimated(self, num_seeds: int, critical_t: float) -> None:
        """Each statement rests on one sample's sd; other samples find that difference four times in five."""
        effect = find_detectable_effect(num_seeds, critical_t) or 0.0
        rng = np.random.default_rng(2)
        stated = effect * rng.standard_normal((2_000, num_seeds)).std(axis=1, ddof=1)
        samples = stated[:, np.newaxis] + rng.standard_normal((2_000, num_seeds))
        t = samples.mean(axis=1) / samples.std(axis=1, ddof=1) * math.sqrt(num_seeds)
        found = [
            abs(one) > critical_t and find_sign_flip_p(sample) <= LEVEL
            for one, sample in zip(t, samples, strict=True)
        ]

        assert np.mean(found) == pytest.approx(0.8, abs=5 * math.sqrt(0.8 * 0.2 / 2_000))

    def test_is_none_where_nothing_could_be_found(self) -> None:
        assert find_detectable_effect(5, 2.0) is None

    def test_the_spread_lies_in_its_range_in_95_of_100(self) -> None:
        low, high = find_spread_range(7)
        sds = np.random.default_rng(1).standard_normal((4_000, 7)).std(axis=1, ddof=1)

        assert np.mean((low * sds <= 1) & (high * sds >= 1)) == pytest.approx(0.95, abs=0.011)


class TestSeedsToSettle:
    def test_are_the_fewest_that_would_do(self) -> None:
        found = describe_differences(np.array([0.0, 0.2, 0.1, 0.1, -0.1, 0.3]))
        assert found.sd is not None
        needed = count_seeds_to_settle(found, step_t=2.571, interval_t=2.571, margin=0.01)

        assert needed is not None

        def find_half(num_seeds: int) -> float:
            return float(stats.t.ppf(1 - 0.025 / 2, num_seeds - 1)) * (found.sd or 0) / math.sqrt(num_seeds)

        assert find_half(needed) < found.difference <= find_half(needed - 1)

    def test_may_show_that_the_difference_is_within_the_margin(self) -> None:
        found = describe_differences(np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.1]))

        wide = count_seeds_to_settle(found, step_t=2.571, interval_t=2.571, margin=0.05)
        assert wide is not None
        half = float(stats.t.ppf(1 - 0.025 / 2, wide - 1)) * (found.sd or 0) / math.sqrt(wide)
        assert half == pytest.approx(0.05, rel=0.05)
        assert count_seeds_to_settle(found, step_t=2.571, interval_t=2.571, margin=1e-4) is None


class TestMcNemar:
    def test_by_hand(self) -> None:
        # 1 against 5 of 6: p = 2 · (C(6,0) + C(6,1)) / 2^6.
        found = find_mcnemar_p(np.array([1, 5, 0, 0, 4]), np.array([5, 1, 10, 0, 4]))

        assert found == pytest.approx([2 * 7 / 64, 2 * 7 / 64, 2 / 1_024, 1.0, 1.0])
