"""Tuned learning rates: the plan, and the choice."""

from typing import Any

import pytest

from lab.datasets.load import DATASETS
from lab.errors import InvalidConfigError
from lab.experiments.planning import ExperimentSpec, plan_experiment
from lab.experiments.tuning import FIRST_SEED, Tuning, choose_rates, name_tuned, plan_tuning
from service.experiments.requests import ExperimentIn

TUNE = {"learning_rate": [0.02, 0.08], "seeds": 2, "epochs": 3}


def plan(**body: Any) -> ExperimentSpec:
    request = ExperimentIn.model_validate({"tune": TUNE, **body}).to_request()
    return plan_experiment(request, dataset=DATASETS["digits"])


class TestPlan:
    def test_every_configuration_has_the_same_budget_and_seeds_of_its_own(self) -> None:
        spec = plan(grid={"normalization": ["batch", "group"], "penalty": ["none", "l2"]}, seeds=3, epochs=9)
        tuning = plan_tuning(spec)

        assert tuning is not None
        tried = [(run.normalization, run.l2, run.learning_rate, run.seed) for run in tuning.runs]
        assert tried == [
            (normalization, l2, rate, FIRST_SEED + number)
            for normalization in ("batch", "group")
            for l2 in (0.0, 1e-3)
            for rate in (0.02, 0.08)
            for number in (0, 1)
        ]
        assert {run.epochs for run in tuning.runs} == {3}
        assert {run.epochs for run in spec.runs} == {9}

    def test_without_tune_there_is_none(self) -> None:
        assert plan_tuning(plan(configs=[{}], tune=None)) is None

    def test_the_preset_tunes_every_configuration(self) -> None:
        tuning = plan_tuning(plan(preset="fair-tuned", tune=None))

        assert tuning is not None
        assert len(tuning.runs) == 20 * 6 * 3

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"tune": {"learning_rate": [0.1]}}, "two different learning rates"),
            ({"tune": {"learning_rate": [0.1, 0.1]}}, "two different learning rates"),
            ({"tune": {"learning_rate": [0.1, -1.0]}}, "learning_rate"),
            ({"tune": {"learning_rate": [0.1, 0.2], "epochs": 10**9}}, "epochs"),
            ({"tune": {"learning_rate": [0.1, 0.2], "seeds": 501}}, "1002 runs"),
            ({"learning_rate": 0.1}, "leave learning_rate out"),
            ({"configs": [{"learning_rate": 0.1}]}, "leave learning_rate out"),
            ({"grid": {"learning_rate": [0.1, 0.2]}}, "leave learning_rate out"),
            ({"seeds": [0, FIRST_SEED]}, "Seeds from 1,000,000 on are kept for tuning"),
            ({"validation_size": 0, "schedule": "constant"}, "held-out"),
            ({"preset": "study", "configs": None}, "held-out"),
        ],
    )
    def test_refuses_what_cannot_be_tuned(self, body: dict[str, Any], words: str) -> None:
        given = body if "grid" in body or "preset" in body else {"configs": [{}], **body}
        with pytest.raises(InvalidConfigError, match=words):
            plan_tuning(plan(**given))


def make_tuning(rates: list[float]) -> Tuning:
    return Tuning(experiment_id=7, learning_rates=rates, num_seeds=2, epochs=3)


def choose(accuracies: dict[float, list[float]]) -> dict[str, float]:
    named = {name_tuned("batch", rate): values for rate, values in accuracies.items()}
    return choose_rates(make_tuning([0.08, 0.02, 0.04]), labels=["batch"], accuracies=named).rates


class TestChoice:
    def test_is_the_highest_mean_on_held_out_images(self) -> None:
        assert choose({0.02: [0.8, 0.8], 0.04: [0.7, 0.95], 0.08: [0.9, 0.6]}) == {"batch": 0.04}

    def test_of_equal_ones_is_the_lowest_rate(self) -> None:
        assert choose({0.02: [0.8, 0.8], 0.04: [0.9, 0.7], 0.08: [0.8, 0.8]}) == {"batch": 0.02}

    def test_leaves_out_a_rate_with_a_run_that_failed(self) -> None:
        assert choose({0.02: [0.5, 0.5], 0.04: [0.99]}) == {"batch": 0.02}

    def test_may_find_none(self) -> None:
        assert choose({}) == {}

    def test_reads_back_as_it_was_written(self) -> None:
        tuning = choose_rates(
            make_tuning([0.02]), labels=["batch"], accuracies={name_tuned("batch", 0.02): [0.5, 0.6]}
        )
        assert Tuning.from_json(tuning.to_json()) == tuning
