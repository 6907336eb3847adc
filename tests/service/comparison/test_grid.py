"""What sets two configurations apart, and what has no meaning in one of them."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lab.experiments.cautions import find_warnings
from lab.experiments.configs import NORMALIZATIONS, STUDY_L1, RunConfig
from lab.experiments.factors import describe_level, find_differing, read_settings
from lab.statistics.paired import LEVEL
from service.comparison.answer import answer_all
from service.comparison.finding import Finding
from service.comparison.grid import find_effects, find_interactions, fold_coupled
from service.comparison.scores import Scores


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


class TestCoupled:
    """A learning rate in proportion to the batch size is no factor of its own."""

    def plan(self, *values: dict[str, Any]) -> list[RunConfig]:
        return [RunConfig(dataset="digits", schedule="constant", **each) for each in values]

    def test_fields_of_the_recipe_that_change_together_count_as_the_first(self) -> None:
        configs = self.plan(
            *(
                {
                    "normalization": normalization,
                    "batch_size": batch_size,
                    "learning_rate": batch_size / 1_000,
                }
                for normalization in ("batch", "group")
                for batch_size in (2, 4, 8)
            )
        )

        settings, coupled = fold_coupled([read_settings(config) for config in configs])
        effects = find_effects(settings)

        assert coupled == {"batch_size": ["learning_rate"]}
        assert [effect.factor for effect in effects] == ["normalization"] * 3 + ["batch_size"] * 6
        assert effects[0].held_fixed == {"batch_size": "2"}
        assert len(find_interactions(effects, settings)) == 3

    def test_a_learning_rate_of_each_normalization_belongs_to_it(self) -> None:
        configs = self.plan(
            *(
                {"normalization": name, "learning_rate": rate, "l1": l1}
                for name, rate in (("batch", 0.16), ("group", 0.08), ("layer", 0.08))
                for l1 in (0.0, 1e-4)
            )
        )

        settings, coupled = fold_coupled([read_settings(config) for config in configs])
        effects = find_effects(settings)

        assert coupled == {"normalization": ["learning_rate"]}
        assert [effect.factor for effect in effects].count("normalization") == 3 * 2
        warnings = find_warnings([replace(config, label=str(config)) for config in configs])
        assert [warning.split(":")[0] for warning in warnings] == [
            "Cannot conclude which configuration is better",
            "Each normalization has a learning rate of its own",
        ]

    def test_normalization_and_penalty_never_do(self) -> None:
        configs = self.plan({"l1": 1e-4}, {"normalization": "group", "l2": 1e-3}, {"normalization": "layer"})

        settings, coupled = fold_coupled([read_settings(config) for config in configs])

        assert (coupled, find_effects(settings)) == ({}, [])

    def test_is_said_beside_the_effects(self) -> None:
        configs = self.plan(
            {"batch_size": 2, "learning_rate": 0.01}, {"batch_size": 4, "learning_rate": 0.02}
        )
        scores = Scores(configs=configs, seeds=[0], values=np.array([[0.8], [0.9]]), unfinished=[])

        found = answer_all(scores, margin=0.001).factors

        assert found is not None
        assert found.warnings == [
            "Learning_rate always changed together with batch_size: what is said of batch_size is said of "
            "them together."
        ]


@pytest.mark.slow
def test_false_alarms_of_a_grid_stay_below_the_level() -> None:
    """Without any true effect, anything false is asserted in at most 5 of 100 experiments."""
    configs = [
        RunConfig(
            dataset="digits",
            schedule="constant",
            normalization=normalization,
            l1=l1,
            label=f"{normalization}, {l1}",
        )
        for normalization in NORMALIZATIONS[:2]
        for l1 in (0.0, STUDY_L1)
    ]
    rng = np.random.default_rng(11)
    spreads = np.array([[1.0], [1.0], [3.0], [9.0]]) / 1_000
    alarms = 0
    num_experiments = 400
    for values in 0.9 + spreads * rng.standard_normal((num_experiments, 4, 8)):
        scores = Scores(configs=configs, seeds=list(range(8)), values=values, unfinished=[])
        answer = answer_all(scores, margin=1e-6)
        assert answer.factors is not None
        findings: list[Finding] = [
            *answer.pairs,
            *itertools.chain(*answer.factors.effects.values()),
            *itertools.chain(*answer.factors.averages.values()),
            *answer.factors.interactions,
        ]
        alarms += any(one.outcome in ("a_better", "b_better", "interaction") for one in findings)
    most = LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / num_experiments)
    assert 0 < alarms / num_experiments <= most
