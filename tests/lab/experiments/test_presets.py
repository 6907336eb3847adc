"""Presets: what each means, and that the request shown for it asks for the same."""

from dataclasses import replace
from typing import Any

import pytest

from lab.datasets.load import DATASETS
from lab.errors import InvalidConfigError
from lab.experiments.configs import NORMALIZATIONS, PENALTIES
from lab.experiments.factors import read_settings
from lab.experiments.planning import ExperimentRequest, ExperimentSpec, plan_experiment
from lab.experiments.presets import BATCH_SIZES, PRESETS
from lab.statistics.paired import MIN_SEEDS
from service.comparison.grid import find_effects, find_interactions, fold_coupled
from service.experiments.requests import ExperimentIn


def plan(body: dict[str, Any], *, dataset: str = "mnist") -> ExperimentSpec:
    """What a request body means, read as the service reads it."""
    return plan_experiment(ExperimentIn.model_validate(body).to_request(), dataset=DATASETS[dataset])


class TestEach:
    @pytest.mark.parametrize("name", PRESETS)
    @pytest.mark.parametrize("dataset", ["mnist", "digits"])
    def test_is_what_its_request_asks_for(self, name: str, dataset: str) -> None:
        by_name = plan({"preset": name}, dataset=dataset)
        by_request = plan(PRESETS[name].request, dataset=dataset)

        assert by_request.runs == by_name.runs
        assert by_name.preset == name
        assert by_name.name == f"{PRESETS[name].title} on {DATASETS[dataset].title}"
        assert len({run.label for run in by_name.runs}) == PRESETS[name].num_configurations
        assert max(len(run.label) for run in by_name.runs) <= 25

    @pytest.mark.parametrize("name", [name for name in PRESETS if name != "study"])
    def test_has_seeds_enough_and_no_test_loss_at_the_wheel(self, name: str) -> None:
        runs = plan({"preset": name}).runs

        assert len({run.seed for run in runs}) >= 6
        assert {(run.schedule, run.schedule_metric) for run in runs} <= {
            ("plateau", "validation"),
            ("onecycle", "validation"),
        }

    def test_takes_other_epochs_seeds_and_data(self) -> None:
        spec = plan({"preset": "fair-grid", "epochs": 2, "seeds": [4]}, dataset="digits")

        assert {(run.epochs, run.seed, run.dataset) for run in spec.runs} == {(2, 4, "digits")}
        assert (spec.preset, len(spec.runs)) == ("fair-grid", 20)


def test_an_empty_request_is_the_study() -> None:
    assert plan({}) == plan({"preset": "study"})


def test_the_fair_grid_compares_like_with_like() -> None:
    runs = plan({"preset": "fair-grid"}).runs

    assert len(runs) == 20 * 13
    assert {(run.normalization, run.penalty) for run in runs} == {
        (normalization, penalty) for normalization in NORMALIZATIONS for penalty in PENALTIES
    }
    # Nothing else differs, once label, seed and what belongs to normalization and penalty are put aside.
    aside: dict[str, Any] = {
        "normalization": "none",
        "l1": 0.0,
        "l2": 0.0,
        "groups": None,
        "label": "",
        "seed": 0,
    }
    assert len({replace(run, **aside) for run in runs}) == 1
    assert (runs[0].affine, runs[0].penalize, runs[0].validation_size) == (True, "weights", 5_000)


class TestSeeds:
    """Holm corrects for every test of a family: the presets have the seeds that their questions take."""

    def count_tests(self, name: str) -> tuple[int, dict[str, int], int, int]:
        """Number of seeds, of effects by factor, of interactions, of pairs."""
        runs = plan({"preset": name}).runs
        configs = {run.label: run for run in runs}
        settings, _ = fold_coupled([read_settings(config) for config in configs.values()])
        effects = find_effects(settings)
        factors = [effect.factor for effect in effects]
        num_pairs = len(configs) * (len(configs) - 1) // 2
        num_effects = {factor: factors.count(factor) for factor in factors}
        return len(runs) // len(configs), num_effects, len(find_interactions(effects, settings)), num_pairs

    def test_the_fair_grid_can_conclude_on_everything(self) -> None:
        num_seeds, effects, num_interactions, num_pairs = self.count_tests("fair-grid")

        assert (effects, num_interactions, num_pairs) == ({"normalization": 40, "penalty": 30}, 60, 190)
        assert num_seeds >= MIN_SEEDS

    def test_batch_sizes_can_conclude_on_batch_against_group_at_each_and_between_them(self) -> None:
        num_seeds, effects, num_interactions, _ = self.count_tests("batch-size")

        # The learning rate goes with the batch size.
        assert (effects, num_interactions) == ({"normalization": 7, "batch_size": 42}, 21)
        assert num_seeds >= MIN_SEEDS


def test_batch_sizes_have_learning_rates_in_proportion() -> None:
    runs = plan({"preset": "batch-size"}).runs

    assert {(run.normalization, run.batch_size) for run in runs} == {
        (normalization, batch_size) for normalization in ("batch", "group") for batch_size in BATCH_SIZES
    }
    assert {run.learning_rate / run.batch_size for run in runs} == {0.04 / 128}
    assert runs[0].label == "batch, batch_size 2"


def test_the_best_recipe_stays_within_its_limits() -> None:
    runs = plan({"preset": "best"}).runs

    (config,) = {replace(run, seed=0) for run in runs}
    layers = config.layers
    assert sum(layer.parameters for layer in layers) < 8_000
    assert (config.epochs <= 20, config.batch_size, config.schedule) == (True, 64, "onecycle")


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            (
                {"preset": "fairgrid"},
                "preset is 'fairgrid'; it must be one of study, fair-grid, fair-tuned, batch-size, best",
            ),
            ({"preset": "best", "configs": [{}]}, "both preset and configs; give one of the two"),
            ({"preset": "study", "grid": {"dropout": [0.0]}}, "both preset and grid; give one of the two"),
            ({"preset": "batch-size", "batch_size": 8}, "batch-size sets batch_size for each configuration"),
            ({"preset": "best", "schedule": "plateau"}, "hold out some images"),
        ],
    )
    def test_say_what_would_be_right(self, body: dict[str, Any], sentence: str) -> None:
        with pytest.raises(InvalidConfigError, match=sentence):
            plan(body)

    def test_a_configuration_may_have_a_recipe_of_its_own(self) -> None:
        configs = [{"batch_size": 16, "learning_rate": 0.005}, {"batch_size": 32}]

        runs = plan({"configs": configs, "learning_rate": 0.01}).runs

        assert [(run.batch_size, run.learning_rate) for run in runs] == [(16, 0.005), (32, 0.01)]
        assert [run.label for run in runs] == ["batch, batch_size 16", "batch, batch_size 32"]


def test_seeds_default_to_the_presets_or_to_one() -> None:
    def count_seeds(request: ExperimentRequest) -> int:
        return len({run.seed for run in plan_experiment(request, dataset=DATASETS["digits"]).runs})

    plain = ExperimentRequest(name=None, configs=None, grid=None, seeds=None, recipe={})
    assert count_seeds(plain) == 1
    assert count_seeds(replace(plain, configs=[{}])) == 1
    assert count_seeds(replace(plain, preset="best")) == 6
    assert count_seeds(replace(plain, preset="best", seeds=[7, 9])) == 2
