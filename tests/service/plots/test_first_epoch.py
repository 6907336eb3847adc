"""Gradients and activations over the first epoch: what is traced, and what is drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from matplotlib.figure import Figure

from lab.runs.layer_statistics import read_layer_statistics
from lab.runs.records import read_experiment
from service.drawing.palette import NORMALIZATION_COLORS
from service.drawing.rendering import render
from service.plots.first_epoch import LAYERS_DRAWN, draw_first_epoch
from service.plots.layer_traces import Trace, describe_choice, trace_layers
from tests.service.finished_runs import record_layers, submit

pytestmark = pytest.mark.slow


def trace(app: FastAPI, experiment_id: int) -> list[Trace]:
    with app.state.resources.database.transaction() as session:
        experiment = read_experiment(session, experiment_id)
        statistics = read_layer_statistics(session, [run.id for run in experiment.runs])
    return trace_layers(experiment.configurations, statistics)


def list_labels(traces: Sequence[Trace]) -> list[str]:
    return [each.configuration.label for each in traces]


def read_words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


class TestTraces:
    def test_cover_the_steps_that_all_seeds_have(self, client: TestClient, app: FastAPI) -> None:
        experiment = submit(client, configs=[{}, {"normalization": "layer"}], seeds=3)
        record_layers(app, {1: {0: 0.1, 1: 0.2, 2: 0.3}, 2: {0: 0.4, 1: None}, 3: {}})

        (batch,) = trace(app, experiment)

        assert (batch.configuration.label, batch.steps, batch.num_seeds) == ("batch", [0, 1], 2)
        np.testing.assert_allclose(batch.values["gradient_norm", 1], [[0.1, 0.2], [0.4, np.nan]])
        assert batch.read_median("activation_variance", 2)[0] == pytest.approx(2 * 1.25)

    def test_of_many_are_one_of_each_normalization_without_penalty(
        self, client: TestClient, app: FastAPI
    ) -> None:
        grid = {"normalization": ["batch", "none"], "penalty": ["l1", "none", "l2"], "batch_size": [8, 16]}
        experiment = submit(client, grid=grid)
        record_layers(app, {run_id: {0: 0.1} for run_id in range(1, 13)})

        traces = trace(app, experiment)

        assert [(each.configuration.normalization, each.configuration.penalty) for each in traces] == [
            ("batch", "none"),
            ("none", "none"),
        ]
        assert describe_choice(traces, num_configurations=12) == (
            "Of 12 configurations: the first of each normalization, without a penalty if there is one."
        )

    def test_of_few_are_all(self, client: TestClient, app: FastAPI) -> None:
        experiment = submit(
            client, grid={"normalization": ["batch", "none"], "penalty": ["none", "l1", "l2"]}
        )
        record_layers(app, {run_id: {0: 0.1} for run_id in range(1, 7)})

        traces = trace(app, experiment)

        assert len(set(list_labels(traces))) == 6
        assert describe_choice(traces, num_configurations=6) == ""


class TestFigure:
    def test_lines_are_medians_in_bands_of_all_seeds(self, client: TestClient, app: FastAPI) -> None:
        experiment = submit(client, configs=[{}, {"normalization": "none"}], seeds=3)
        record_layers(
            app, {1: {0: 1.0, 1: 5.0}, 2: {0: 2.0, 1: 6.0}, 3: {0: 4.0, 1: 9.0}, 4: {0: 0.5, 1: 0.5}}
        )

        figure = draw_first_epoch(trace(app, experiment), title="Two", num_configurations=2)

        panels: list[Any] = figure.axes
        assert len(panels) == 3 * len(LAYERS_DRAWN)
        for place, layer in enumerate(LAYERS_DRAWN):
            gradient, mean, variance = panels[place :: len(LAYERS_DRAWN)]
            assert gradient.get_title(loc="left").startswith(f"Convolution {layer}")
            norms = np.array([2.0, 6.0]) + layer - 1
            for panel, expected in ((gradient, norms), (mean, -norms), (variance, 2 * norms)):
                batch, none = panel.lines
                assert np.allclose(batch.get_xdata(), [0, 1])
                assert np.allclose(batch.get_ydata(), expected)
                assert (batch.get_color(), none.get_color()) == (
                    NORMALIZATION_COLORS["batch"],
                    NORMALIZATION_COLORS["none"],
                )
            ends = gradient.collections[0].get_paths()[0].vertices[:, 1]
            assert (ends.min(), ends.max()) == (layer, 8 + layer)
            assert (gradient.get_yscale(), mean.get_yscale(), variance.get_yscale()) == (
                "log",
                "linear",
                "log",
            )
        assert "band: all seeds" in read_words(figure)
        assert render(figure, image_format="svg")

    def test_figures_that_are_not_finite_leave_a_gap(self, client: TestClient, app: FastAPI) -> None:
        experiment = submit(client, configs=[{}])
        record_layers(app, {1: {0: 1.0, 1: None, 2: 0.0}})
        nothing_finite = submit(client, configs=[{}])
        record_layers(app, {2: {0: None}})

        for each in (experiment, nothing_finite):
            figure = draw_first_epoch(trace(app, each), title="One", num_configurations=1)
            assert render(figure, image_format="svg")

    def test_without_statistics_a_sentence_says_so(self, client: TestClient) -> None:
        experiment = submit(client, configs=[{}])

        assert client.get(f"/experiments/{experiment}/plots/first-epoch.svg").status_code == 200
        (panel,) = draw_first_epoch([], title="One", num_configurations=1).axes
        assert any("No run has layer statistics" in text.get_text() for text in panel.texts)

    def test_of_trained_runs_is_a_picture(self, trained_client: TestClient) -> None:
        response = trained_client.get("/experiments/1/plots/first-epoch.svg")

        assert response.status_code == 200
        assert response.text.count("<path") > 100
