import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lab.datasets.load import DATASETS
from lab.errors import InvalidConfigError
from lab.experiments.configs import NORMALIZATIONS, PENALTIES, RunConfig
from lab.experiments.planning import (
    MAX_RUNS,
    ExperimentRequest,
    ExperimentSpec,
    expand_grid,
    make_labels,
    plan_experiment,
)


def plan(
    *,
    dataset: str = "mnist",
    name: str | None = None,
    configs: list[dict[str, Any]] | None = None,
    grid: dict[str, list[Any]] | None = None,
    seeds: list[int] | None = None,
    priority: int = 0,
    **recipe: Any,
) -> ExperimentSpec:
    request = ExperimentRequest(
        name=name,
        configs=configs,
        grid=grid,
        seeds=[0] if seeds is None else seeds,
        recipe=recipe,
        priority=priority,
    )
    return plan_experiment(request, dataset=DATASETS[dataset])


class TestStudy:
    def test_is_what_the_reference_says(self) -> None:
        shared: dict[str, Any] = {
            "dataset": "mnist",
            "dropout": 0.01,
            "penalize": "all",
            "seed": 0,
            "epochs": 25,
            "batch_size": 128,
            "learning_rate": 0.04,
            "momentum": 0.9,
            "schedule": "plateau",
            "schedule_metric": "test",
            "rotation_degrees": 6.9,
            "translation_pixels": 0.0,
            "scaling_percent": 0.0,
            "interpolation": "bilinear",
            "validation_size": 0,
        }
        spec = plan()
        assert spec.preset == "study"
        assert spec.name == "The study on MNIST"
        assert spec.dataset == "mnist"
        assert spec.runs == (
            RunConfig(normalization="batch", l1=1e-4, l2=1e-3, label="batch + L1 + L2", **shared),
            RunConfig(
                normalization="group", groups=(4, 2, 2, 2, 2, 2, 2), l1=1e-4, label="group + L1", **shared
            ),
            RunConfig(normalization="layer", l2=1e-3, label="layer + L2", **shared),
            RunConfig(
                normalization="instance",
                affine=False,
                l1=1e-4,
                l2=1e-3,
                label="instance + L1 + L2",
                **shared,
            ),
        )

    def test_stays_the_study_with_other_epochs_and_data(self) -> None:
        spec = plan(dataset="digits", epochs=2, seeds=[3, 5])
        assert spec.preset == "study"
        assert spec.name == "The study on scikit-learn digits"
        assert [(run.normalization, run.seed) for run in spec.runs[:4]] == [
            ("batch", 3),
            ("batch", 5),
            ("group", 3),
            ("group", 5),
        ]
        assert {run.epochs for run in spec.runs} == {2}
        assert {run.schedule_metric for run in spec.runs} == {"test"}

    def test_lets_the_validation_loss_steer_once_images_are_held_out(self) -> None:
        spec = plan(validation_size=5_000)
        assert spec.preset == "study"
        assert {(run.schedule_metric, run.validation_size) for run in spec.runs} == {("validation", 5_000)}


class TestConfigs:
    @pytest.mark.parametrize(("dataset", "held_out"), [("mnist", 5_000), ("digits", 120)])
    def test_a_twelfth_is_held_out_unless_told(self, dataset: str, held_out: int) -> None:
        from_configs = plan(dataset=dataset, configs=[{}])
        from_grid = plan(dataset=dataset, grid={"normalization": ["batch"]})
        for spec in (from_configs, from_grid):
            assert spec.preset is None
            assert spec.runs[0].validation_size == held_out
            assert spec.runs[0].schedule_metric == "validation"
        assert plan(dataset=dataset, configs=[{}], validation_size=100).runs[0].validation_size == 100

    def test_only_the_study_may_watch_the_test_loss(self) -> None:
        with pytest.raises(InvalidConfigError, match="hold out some images"):
            plan(configs=[{}], validation_size=0)

    def test_a_configuration_overrules_the_recipe(self) -> None:
        spec = plan(grid={"learning_rate": [0.1, 0.2]}, learning_rate=0.3, momentum=0.5)
        assert [(run.learning_rate, run.momentum) for run in spec.runs] == [(0.1, 0.5), (0.2, 0.5)]

    def test_runs_are_every_configuration_with_every_seed(self) -> None:
        spec = plan(configs=[{"normalization": "batch"}, {"normalization": "layer"}], seeds=[1, 7])
        assert [(run.normalization, run.seed) for run in spec.runs] == [
            ("batch", 1),
            ("batch", 7),
            ("layer", 1),
            ("layer", 7),
        ]
        assert spec.name == "4 runs on MNIST"
        assert plan(configs=[{}]).name == "1 run on MNIST"
        assert plan(configs=[{}], name="mine").name == "mine"


class TestRefusals:
    def test_configs_and_grid_together(self) -> None:
        with pytest.raises(InvalidConfigError, match="both configs and grid"):
            plan(configs=[{}], grid={"normalization": ["batch"]})

    @pytest.mark.parametrize(
        ("request_", "sentence"),
        [
            ({"configs": []}, "configs is empty"),
            ({"configs": [{}], "seeds": []}, "seeds is empty"),
            ({"configs": [{}], "seeds": [4, 4]}, "the same seed twice"),
            ({"grid": {"normalization": []}}, "grid.normalization is empty"),
            ({"configs": [{}], "validation_size": 60_000}, "has 60000 training images"),
            ({"configs": [{}], "validation_size": 59_990}, "only 10 images are left to train on"),
            ({"validation_size": 59_999}, "only 1 images are left to train on"),
        ],
    )
    def test_what_leaves_nothing_to_train(self, request_: dict[str, Any], sentence: str) -> None:
        with pytest.raises(InvalidConfigError, match=sentence):
            plan(**request_)

    def test_more_runs_than_an_experiment_can_have(self) -> None:
        configs = [{"learning_rate": 0.01}] * 2
        assert len(plan(configs=configs, seeds=list(range(MAX_RUNS // 2))).runs) == MAX_RUNS
        with pytest.raises(InvalidConfigError, match="2 configurations × 501 seeds are 1002 runs"):
            plan(configs=configs, seeds=list(range(MAX_RUNS // 2 + 1)))


class TestPriority:
    @pytest.mark.parametrize("priority", [-100, -1, 0, 100])
    def test_is_carried_over(self, priority: int) -> None:
        assert plan(priority=priority).priority == priority
        assert plan(configs=[{}], priority=priority).priority == priority

    @pytest.mark.parametrize("priority", [-101, 101, 10**30])
    def test_is_refused_beyond_its_limits(self, priority: int) -> None:
        with pytest.raises(
            InvalidConfigError, match=rf"^priority is {priority}; it must be from -100 to 100\.$"
        ):
            plan(priority=priority)


class TestGrid:
    @hypothesis_settings(deadline=None)
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "normalization": st.lists(st.sampled_from(NORMALIZATIONS), min_size=1, unique=True),
                "penalty": st.lists(st.sampled_from(list(PENALTIES)), min_size=1, unique=True),
                "dropout": st.lists(st.sampled_from([0.0, 0.1, 0.2]), min_size=1, unique=True),
                "affine": st.lists(st.booleans(), min_size=1, unique=True),
                "batch_size": st.lists(st.integers(1, 99), min_size=1, max_size=3, unique=True),
            },
        ).filter(bool)
    )
    def test_is_every_combination_once(self, grid: dict[str, list[Any]]) -> None:
        configs = expand_grid(grid)
        assert len(configs) == math.prod(len(values) for values in grid.values())
        assert len({tuple(sorted(config.items())) for config in configs}) == len(configs)
        for name, values in grid.items():
            if name != "penalty":
                for value in values:
                    with_value = sum(config[name] == value for config in configs)
                    assert with_value * len(values) == len(configs)

    def test_penalties_stand_for_the_studys_factors(self) -> None:
        assert expand_grid({"penalty": ["none", "l1", "l2", "l1+l2"]}) == [
            {"l1": 0.0, "l2": 0.0},
            {"l1": 1e-4, "l2": 0.0},
            {"l1": 0.0, "l2": 1e-3},
            {"l1": 1e-4, "l2": 1e-3},
        ]

    def test_refuses_to_be_empty(self) -> None:
        with pytest.raises(InvalidConfigError, match="grid is empty; list the values of at least one field"):
            expand_grid({})

    def test_refuses_more_combinations_than_an_experiment_can_have_before_making_them(self) -> None:
        thousand = [n / 2_000 for n in range(1_000)]
        assert len(expand_grid({"dropout": thousand})) == MAX_RUNS
        sentence = f"grid has {10**15} combinations; an experiment can have {MAX_RUNS} runs"
        with pytest.raises(InvalidConfigError, match=sentence):
            expand_grid(dict.fromkeys(("dropout", "l1", "l2", "momentum", "learning_rate"), thousand))

    @pytest.mark.parametrize("name", ["seed", "dataset", "label", "schedule_metric", "colour"])
    def test_refuses_what_cannot_vary(self, name: str) -> None:
        with pytest.raises(InvalidConfigError, match=f"grid has the field '{name}'; it can have penalty, "):
            expand_grid({name: [1]})

    @pytest.mark.parametrize("other", ["l1", "l2"])
    def test_refuses_penalty_beside_its_own_factors(self, other: str) -> None:
        with pytest.raises(InvalidConfigError, match="give the one or the other"):
            expand_grid({"penalty": ["l1"], other: [0.1]})

    def test_refuses_an_unknown_penalty(self) -> None:
        with pytest.raises(InvalidConfigError, match="penalty is 'l3'; it must be one of none, l1, l2"):
            expand_grid({"penalty": ["l3"]})


class TestLabels:
    configs = st.builds(
        RunConfig,
        dataset=st.just("digits"),
        normalization=st.sampled_from(NORMALIZATIONS),
        l1=st.sampled_from([0.0, 1e-4, 0.5]),
        l2=st.sampled_from([0.0, 1e-3]),
        dropout=st.sampled_from([0.0, 0.01]),
        affine=st.booleans(),
        batch_size=st.sampled_from([1, 2]),
        schedule=st.just("constant"),
    )

    @hypothesis_settings(deadline=None)
    @given(st.lists(configs, max_size=12))
    def test_are_unlike_each_other(self, configs: list[RunConfig]) -> None:
        labels = make_labels(configs)
        assert len(set(labels)) == len(labels) == len(configs)
        assert all(labels)

    def test_tell_identical_configurations_by_number(self) -> None:
        runs = plan(configs=[{"l2": 1e-3}, {"l2": 1e-3}, {"l2": 1e-3}]).runs
        assert [run.label for run in runs] == ["batch + L2", "batch + L2 #2", "batch + L2 #3"]

    def test_name_what_differs_where_the_short_ones_do_not(self) -> None:
        runs = plan(configs=[{"affine": True}, {"affine": False}, {"normalization": "layer"}]).runs
        assert [run.label for run in runs] == ["batch, affine True", "batch, affine False", "layer"]

    def test_tell_factors_that_are_not_the_studys(self) -> None:
        runs = plan(
            configs=[{"l1": 1e-4}, {"l1": 0.5}, {"dropout": 0.3, "l2": 0.25}, {"normalization": "none"}]
        ).runs
        assert [run.label for run in runs] == [
            "batch + L1",
            "batch + L1 0.5",
            "batch + L2 0.25, dropout 0.3",
            "no norm",
        ]

    def test_given_ones_are_kept(self) -> None:
        runs = plan(configs=[{"label": "mine"}, {"label": "yours"}]).runs
        assert [run.label for run in runs] == ["mine", "yours"]

    def test_hold_for_every_seed_of_a_configuration(self) -> None:
        runs = plan(configs=[{"normalization": "batch"}, {"normalization": "layer"}], seeds=[0, 1]).runs
        assert [run.label for run in runs] == ["batch", "batch", "layer", "layer"]


def test_labels_differ_even_from_those_given() -> None:
    labels = make_labels(
        [RunConfig(dataset="digits", schedule="constant", label=x) for x in ("x", "x", "x #2")]
    )
    assert len(set(labels)) == 3
