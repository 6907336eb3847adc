"""Which plots an experiment has, and what they are made of."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.experiments.configs import RunConfig
from lab.runs.records import read_experiment
from service.plots.catalog import PlotCatalog
from service.plots.groups import describe_differences, make_batch_size_points, rank_configurations
from tests.service.finished_runs import finish_runs, submit

pytestmark = pytest.mark.slow

METRICS = ("train-accuracy", "test-accuracy", "train-loss", "test-loss")
OF_ALL = {"overview", "first-epoch", *METRICS}


def list_names(client: TestClient, experiment_id: int, query: str = "") -> set[str]:
    plots = client.get(f"/experiments/{experiment_id}/plots{query}").json()["plots"]
    return {plot["name"] for plot in plots if not plot["name"].startswith("run-")}


def by_batch_size(config: RunConfig) -> list[float]:
    drop = 0.1 / config.batch_size if config.normalization == "batch" else 0.0
    return [0.95 - drop + 0.001 * config.seed]


class TestIndex:
    def test_one_seed_of_one_configuration_has_curves_alone(self, client: TestClient) -> None:
        assert list_names(client, submit(client, configs=[{}])) == OF_ALL

    def test_seeds_have_means_and_configurations_verdicts(self, client: TestClient) -> None:
        seeds = submit(client, configs=[{}], seeds=2)
        configs = submit(client, grid={"normalization": ["batch", "group"]})

        of_seeds = {"configuration-1", *(f"mean-{metric}" for metric in METRICS)}
        assert list_names(client, seeds) == OF_ALL | of_seeds
        assert list_names(client, configs) == OF_ALL | {"ranking", "verdicts"}
        assert list_names(client, configs, "?normalizations=batch") == OF_ALL

    def test_batch_sizes_are_drawn_where_they_vary(self, client: TestClient) -> None:
        sweep = submit(client, grid={"batch_size": [2, 4]})

        assert "batch-size" in list_names(client, sweep)
        assert (
            client.get(f"/experiments/{submit(client, configs=[{}])}/plots/batch-size.png").status_code == 404
        )


@pytest.mark.parametrize("is_finished", [True, False])
def test_every_plot_of_a_sweep_is_drawn(client: TestClient, app: FastAPI, is_finished: bool) -> None:
    sweep = submit(client, grid={"normalization": ["batch", "group"], "batch_size": [2, 64]}, seeds=2)
    if is_finished:
        finish_runs(app, sweep, by_batch_size, leave_out=[0])

    for name in ("mean-test-accuracy", "ranking", "verdicts", "batch-size"):
        assert client.get(f"/experiments/{sweep}/plots/{name}.svg").status_code == 200


def test_verdicts_stay_corrected_for_all_pairs(client: TestClient, app: FastAPI) -> None:
    grid = submit(client, grid={"normalization": ["batch", "group", "layer"]}, seeds=2)
    finish_runs(app, grid, by_batch_size)

    with app.state.resources.database.transaction() as session:
        catalog = PlotCatalog(
            read_experiment(session, grid),
            read_metrics=dict,
            read_reliability=lambda _runs: [],
            read_layer_statistics=dict,
            normalizations=["batch", "group"],
        )
        texts = [text.get_text() for text in catalog.find("verdicts").draw().texts]

    assert any("Corrected for 3 tests" in text for text in texts)


class TestGroups:
    @pytest.fixture
    def read(self, client: TestClient, app: FastAPI) -> Callable[[], list[tuple[str, float, int]]]:
        sweep = submit(
            client,
            grid={"normalization": ["batch", "group"], "penalty": ["none", "l2"], "batch_size": [2, 64]},
        )
        finish_runs(app, sweep, by_batch_size, leave_out=[1])

        def read_points() -> list[tuple[str, float, int]]:
            with app.state.resources.database.transaction() as session:
                points = make_batch_size_points(read_experiment(session, sweep))
            return [(point.line.label, point.value, len(point.accuracies)) for point in points]

        return read_points

    def test_lines_share_everything_but_the_batch_size(
        self, read: Callable[[], list[tuple[str, float, int]]]
    ) -> None:
        assert read() == [
            ("batch, no penalty", 2, 1),
            ("batch, no penalty", 64, 0),
            ("batch, L2", 2, 1),
            ("batch, L2", 64, 1),
            ("group, no penalty", 2, 1),
            ("group, no penalty", 64, 1),
            ("group, L2", 2, 1),
            ("group, L2", 64, 1),
        ]

    def test_ranks_the_completed_by_their_mean(self, client: TestClient, app: FastAPI) -> None:
        grid = submit(client, grid={"normalization": ["batch", "group", "layer"]}, batch_size=4, seeds=2)
        finish_runs(app, grid, by_batch_size, leave_out=[4, 5])

        with app.state.resources.database.transaction() as session:
            ranked = rank_configurations(read_experiment(session, grid))

        assert [one.label for one in ranked] == ["group", "batch"]

        assert ranked[0].accuracies == pytest.approx([0.95, 0.951])
        assert ranked[1].accuracies == pytest.approx([0.925, 0.926])


def test_differences_are_named_in_words() -> None:
    configs = [
        RunConfig(dataset="digits", label="a", l1=1e-4, batch_size=8, validation_size=9),
        RunConfig(dataset="digits", label="b", normalization="none", batch_size=16, validation_size=9),
    ]

    assert describe_differences(configs, leave_out=["normalization"]) == {
        "a": "L1, batch size 8",
        "b": "no penalty, batch size 16",
    }
    assert describe_differences(configs[:1], leave_out=[]) == {"a": ""}
