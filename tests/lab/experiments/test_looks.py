"""Levels of looks at the same experiment."""

import pytest

from lab.experiments.looks import Look, add_look, list_taken, plan_looks, sum_levels
from lab.statistics.paired import find_smallest_p


def test_each_look_that_was_not_planned_has_half_of_the_level() -> None:
    looks: list[Look] = []
    for before, after in ((6, 10), (10, 16), (16, 24)):
        looks = add_look(looks, num_seeds_before=before, num_seeds=after, is_seen=True)

    assert looks == [
        Look(num_seeds=6, level=0.05),
        Look(num_seeds=10, level=0.025),
        Look(num_seeds=16, level=0.0125),
        Look(num_seeds=24, level=0.00625),
    ]
    assert sum_levels(looks) == pytest.approx(0.09375)


def test_seeds_added_before_anything_could_be_seen_cost_nothing() -> None:
    looks = add_look([], num_seeds_before=2, num_seeds=6, is_seen=False)
    assert looks == [Look(num_seeds=6, level=0.05)]
    assert add_look(looks, num_seeds_before=6, num_seeds=8, is_seen=False) == [Look(num_seeds=8, level=0.05)]


def test_a_look_with_too_few_seeds_to_find_anything_costs_nothing() -> None:
    assert add_look([], num_seeds_before=5, num_seeds=6, is_seen=True) == [Look(num_seeds=6, level=0.05)]


class TestPlannedLooks:
    def test_share_the_level_of_one(self) -> None:
        looks = plan_looks([], num_seeds_before=2, most_seeds=24, is_seen=False)

        assert [look.num_seeds for look in looks] == [6, 10, 16, 24]
        assert [look.level for look in looks] == pytest.approx([1 / 32, 0.00625, 0.00625, 0.00625])
        assert all(look.is_planned for look in looks)
        assert sum_levels(looks) == pytest.approx(0.05)

    def test_share_half_of_the_last_level_where_results_were_seen(self) -> None:
        looks = plan_looks([], num_seeds_before=6, most_seeds=16, is_seen=True)

        assert looks == [
            Look(num_seeds=6, level=0.05),
            Look(num_seeds=10, level=0.0125, is_planned=True),
            Look(num_seeds=16, level=0.0125, is_planned=True),
        ]

    def test_begin_with_the_seeds_that_nobody_has_seen(self) -> None:
        looks = plan_looks([], num_seeds_before=8, most_seeds=10, is_seen=False)

        assert [(look.num_seeds, look.level) for look in looks] == [(8, 0.025), (10, 0.025)]

    @pytest.mark.parametrize("most_seeds", [6, 7, 10, 24, 25, 100])
    @pytest.mark.parametrize(("before", "is_seen"), [(1, True), (6, False), (6, True), (12, True)])
    def test_each_could_find_something_and_all_keep_the_level(
        self, before: int, is_seen: bool, most_seeds: int
    ) -> None:
        if most_seeds <= before:
            return
        looks = plan_looks([], num_seeds_before=before, most_seeds=most_seeds, is_seen=is_seen)

        planned = [look for look in looks if look.is_planned]
        assert planned[-1].num_seeds == most_seeds
        assert all(look.level >= find_smallest_p(look.num_seeds) for look in planned)
        assert sum_levels(planned) <= (0.025 if is_seen and before >= 6 else 0.05) + 1e-12

    def test_left_over_are_dropped_when_seeds_are_added_by_hand(self) -> None:
        planned = plan_looks([], num_seeds_before=6, most_seeds=24, is_seen=False)

        looks = add_look(planned, num_seeds_before=6, num_seeds=8, is_seen=True)

        assert looks == [planned[0], Look(num_seeds=8, level=planned[0].level / 2)]
        assert list_taken(planned, num_seeds=10) == planned[:2]
