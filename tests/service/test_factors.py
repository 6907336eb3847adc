"""What sets two configurations apart, and what has no meaning in one of them."""

from typing import Any

import pytest

from lab.configs import RunConfig
from service.comparison.factors import describe_level, find_differing, find_effects, read_settings


def differ(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    settings = [
        read_settings(RunConfig(dataset="digits", schedule="constant", **values)) for values in (a, b)
    ]
    return find_differing(settings[0], settings[1])


@pytest.mark.parametrize(
    ("a", "b", "factors"),
    [
        ({}, {"seed": 3, "label": "another"}, []),
        ({}, {"normalization": "layer"}, ["normalization"]),
        ({}, {"l1": 1e-4, "l2": 1e-3}, ["penalty"]),
        ({"l1": 1e-4}, {"normalization": "group", "l2": 1e-3}, ["normalization", "penalty"]),
        # Groups are group normalization's own.
        ({}, {"normalization": "group", "groups": 2}, ["normalization"]),
        ({"normalization": "group"}, {"normalization": "group", "groups": 2}, ["groups"]),
        # No normalization has no γ and β to learn or to penalize.
        ({"affine": False}, {"normalization": "none"}, ["normalization"]),
        ({"affine": False}, {"normalization": "layer"}, ["normalization", "affine"]),
        ({"l1": 0.1, "penalize": "all"}, {"l1": 0.1, "normalization": "none"}, ["normalization"]),
        # Without a penalty it does not matter what would be penalized.
        ({"penalize": "all"}, {"penalize": "weights"}, []),
        ({"l2": 0.1, "penalize": "all"}, {"l2": 0.1, "penalize": "weights"}, ["penalize"]),
        ({"batch_size": 2, "learning_rate": 0.01}, {}, ["batch_size", "learning_rate"]),
        ({"dropout": 0.0, "epochs": 3}, {}, ["dropout", "epochs"]),
    ],
)
def test_factors_that_differ(a: dict[str, Any], b: dict[str, Any], factors: list[str]) -> None:
    assert differ(a, b) == differ(b, a) == factors


def test_effects_say_what_is_held_fixed() -> None:
    configs = [
        RunConfig(dataset="digits", schedule="constant", batch_size=batch_size, normalization=normalization)
        for batch_size in (2, 4)
        for normalization in ("batch", "group")
    ]
    effects = find_effects([read_settings(config) for config in configs])

    found = [(effect.factor, effect.pair, effect.levels, effect.held_fixed) for effect in effects]
    assert found == [
        ("normalization", (0, 1), ("batch", "group"), {"batch_size": "2"}),
        ("normalization", (2, 3), ("batch", "group"), {"batch_size": "4"}),
        ("batch_size", (0, 2), ("2", "4"), {"normalization": "batch"}),
        ("batch_size", (1, 3), ("2", "4"), {"normalization": "group"}),
    ]


def test_penalties_are_named_by_their_factors_where_they_are_not_the_studys() -> None:
    penalties = [(0.0, 0.0), (1e-4, 0.0), (1e-4, 1e-3), (0.5, 1e-3)]

    assert [describe_level("penalty", value) for value in penalties] == ["none", "l1", "l1+l2", "l1 0.5+l2"]
