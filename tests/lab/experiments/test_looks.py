"""Levels of looks at the same experiment."""

import pytest

from lab.experiments.looks import Look, add_look, sum_levels


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

    again = add_look(looks, num_seeds_before=6, num_seeds=8, is_seen=True)
    assert add_look(again, num_seeds_before=8, num_seeds=9, is_seen=False) == [
        Look(num_seeds=6, level=0.05),
        Look(num_seeds=9, level=0.025),
    ]


def test_a_look_with_too_few_seeds_to_find_anything_costs_nothing() -> None:
    assert add_look([], num_seeds_before=5, num_seeds=6, is_seen=True) == [Look(num_seeds=6, level=0.05)]
