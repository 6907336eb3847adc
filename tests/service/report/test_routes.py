"""GET /experiments/{id}/report: one page that holds everything, its Markdown, what is missing."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.experiments import planning as experiment_specs
from lab.experiments.configs import RunConfig
from lab.experiments.presets import PRESETS, STUDY
from lab.settings import Settings
from service.app import create_app
from tests.service.appendix.test_document import PageReader
from tests.service.finished_runs import finish_runs, submit

pytestmark = pytest.mark.slow

SECTIONS = [
    "objective",
    "findings",
    "configurations",
    "results",
    "verdicts",
    "consolidated",
    "single",
    "first-epoch",
    "misclassified",
    "architecture",
    "method",
    "limitations",
    "repeat",
    "references",
    "appendix",
]


def climb(config: RunConfig) -> list[float]:
    """Six epochs, each normalization at its own level."""
    top = {"group": 0.96, "batch": 0.95, "layer": 0.93, "instance": 0.8, "none": 0.7}[config.normalization]
    return [top - 0.02 * (5 - epoch) + 0.001 * config.seed for epoch in range(6)]


def read_markdown(client: TestClient, experiment_id: int) -> str:
    response = client.get(f"/experiments/{experiment_id}/report?format=markdown")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/markdown")
    return response.text


def read_request(client: TestClient, experiment_id: int) -> dict[str, Any]:
    """The body that the report says repeats the experiment."""
    (line,) = re.findall(
        r"^curl -X POST http://testserver/experiments .*$", read_markdown(client, experiment_id), re.M
    )
    body: dict[str, Any] = json.loads(shlex.split(line)[-1])
    return body


def strip_runs(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [{k: v for k, v in run.items() if k not in ("id", "experiment_id")} for run in answer["runs"]]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The study with one seed, and a grid of more runs than have figures of their own."""
    folder: Path = tmp_path_factory.mktemp("lab")
    settings = Settings(
        database_url=f"sqlite:///{folder}/lab.db", data_dir=folder / "data", default_dataset="digits"
    )
    app = create_app(settings)
    with TestClient(app) as client:
        study = submit(client, name="Study <b>& more</b>")
        grid = submit(client, grid={"normalization": ["batch", "instance"]}, seeds=5)
        for experiment_id in (study, grid):
            finish_runs(app, experiment_id, climb)
        grid_page = client.get(f"/experiments/{grid}/report")
        statements: list[str] = []
        sa.event.listen(
            app.state.resources.database.engine,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, *_rest: statements.append(statement),
        )
        study_page = client.get(f"/experiments/{study}/report")
        yield {"study": study_page, "grid": grid_page, "statements of study": statements}


class TestPage:
    @pytest.mark.parametrize("name", ["study", "grid"])
    def test_needs_nothing_but_itself(self, pages: dict[str, Any], name: str) -> None:
        response = pages[name]
        reader = PageReader(response.text)

        assert response.headers["content-type"].startswith("text/html")
        tags = {tag for tag, _ in reader.elements}
        assert not tags & {"script", "link", "iframe", "object", "video"}
        sources = [attributes["src"] or "" for tag, attributes in reader.elements if tag == "img"]
        assert len(sources) > 15
        assert all(
            source.startswith(("data:image/svg+xml;base64,", "data:image/png;base64,")) for source in sources
        )
        links = [attributes["href"] or "" for tag, attributes in reader.elements if tag == "a"]
        assert links == [f"#{section}" for section in SECTIONS]
        assert not any("url(" in (attributes.get("style") or "") for _, attributes in reader.elements)
        assert "default-src 'none'" in response.headers["content-security-policy"]

    def test_has_every_section_and_figure_of_the_study(self, pages: dict[str, Any]) -> None:
        reader = PageReader(pages["study"].text)

        anchors = [
            attributes["id"]
            for tag, attributes in reader.elements
            if tag == "section" and "part" in (attributes.get("class") or "")
        ]
        assert anchors == SECTIONS
        titles = [attributes["alt"] for tag, attributes in reader.elements if tag == "img"]
        for metric in ("Train accuracy", "Test accuracy", "Train loss", "Test loss"):
            assert {metric, f"{metric}, without instance norm"} <= set(titles)
        for label in ("batch + L1 + L2", "group + L1", "layer + L2", "instance + L1 + L2"):
            assert {f"{label}, seed 0: accuracy", f"{label}, seed 0: loss", f"The network of {label}"} <= set(
                titles
            )
            assert f"{label}, seed 0" in titles, "its sheet of misclassified images"
        assert "Group norm, image 1, blue + green" in reader.text
        numbers = re.findall(r"Figure (\d+)\.", reader.text)
        assert numbers == [str(number) for number in range(1, len(titles) + 1)]

    def test_metrics_and_predictions_are_read_once(self, pages: dict[str, Any]) -> None:
        statements = pages["statements of study"]
        predictions = [sql for sql in statements if "log_probabilities" in sql]
        metrics = [sql for sql in statements if sql.startswith("SELECT epoch_metrics")]
        assert (len(predictions), len(metrics)) == (1, 1)

    def test_markup_in_a_name_is_text(self, pages: dict[str, Any]) -> None:
        assert "Study <b>& more</b>" in PageReader(pages["study"].text).text
        assert "Study <b>" not in pages["study"].text

    def test_many_runs_are_drawn_by_configuration(self, pages: dict[str, Any]) -> None:
        reader = PageReader(pages["grid"].text)

        titles = [attributes["alt"] for tag, attributes in reader.elements if tag == "img"]
        assert {"batch: all seeds", "instance: all seeds"} <= set(titles)
        assert not any("seed 0" in (title or "") for title in titles)
        assert "With more than 8 runs, curves are shown by configuration" in reader.text

    def test_prints_and_adapts(self, pages: dict[str, Any]) -> None:
        assert "@media print" in pages["study"].text
        assert "prefers-color-scheme: dark" in pages["study"].text


class TestMarkdown:
    def test_every_figure_is_a_link_that_leads_somewhere(self, client: TestClient, app: FastAPI) -> None:
        sweep = submit(client, grid={"normalization": ["batch", "instance"], "batch_size": [8, 32]}, seeds=2)
        finish_runs(app, sweep, climb, leave_out=[1])

        links = re.findall(r"!\[[^\]]+\]\(http://testserver([^)]+)\)", read_markdown(client, sweep))

        assert len(links) > 12
        assert any("normalizations=batch" in link for link in links)
        # The index's plots are drawn in its own tests; of the others, one of each kind will do.
        plots = [plot["name"] for plot in client.get(f"/experiments/{sweep}/plots").json()["plots"]]
        is_plot = re.compile(rf"/experiments/{sweep}/plots/({'|'.join(plots)})\.png(\?normalizations=batch)?")
        others = {re.sub(r"\d+", "0", link): link for link in links if not is_plot.fullmatch(link)}
        assert 2 < len(others) < len(links)
        for link in others.values():
            assert client.get(link).headers["content-type"] == "image/png", link

    def test_of_a_grid_tabulates_averages_and_tells_of_every_interaction(
        self, client: TestClient, app: FastAPI
    ) -> None:
        grid = {"normalization": ["batch", "group"], "penalty": ["none", "l2", "l1"]}
        experiment_id = submit(client, grid=grid, seeds=7)
        finish_runs(app, experiment_id, climb)

        text = read_markdown(client, experiment_id)

        assert "The effect of normalization, averaged over the rest" in text
        assert "the mean of 3 settings" in text
        assert "Of 3 interactions with the normalization, 3 are practically none: within 0.53 points" in text
        few = submit(client, grid=grid, seeds=5)
        finish_runs(app, few, climb)
        assert "Of 3 interactions with the normalization, 3 cannot be told" in read_markdown(client, few)

    def test_the_request_repeats_the_experiment(self, client: TestClient) -> None:
        body = {
            "name": "It's mine",
            "grid": {"normalization": ["batch", "group"], "penalty": ["none", "l2"]},
            "seeds": [3, 5],
            "epochs": 2,
            "schedule": "onecycle",
        }
        experiment_id = submit(client, **body)

        again = client.post("/experiments", json=read_request(client, experiment_id)).json()

        first = client.get(f"/experiments/{experiment_id}").json()
        assert strip_runs(again) == strip_runs(first)
        assert again["name"] == "It's mine"

    def test_the_request_repeats_what_a_preset_once_meant(
        self, client: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        experiment_id = submit(client, preset="batch-size")
        meant = strip_runs(client.get(f"/experiments/{experiment_id}").json())
        preset = PRESETS["batch-size"]
        monkeypatch.setitem(PRESETS, preset.name, replace(preset, num_seeds=2))
        assert read_request(client, experiment_id) == {
            "dataset": "digits",
            "preset": "batch-size",
            "seeds": 10,
        }
        monkeypatch.setitem(PRESETS, preset.name, replace(preset, recipe={**preset.recipe, "epochs": 6}))

        again = client.post("/experiments", json=read_request(client, experiment_id)).json()

        assert strip_runs(again) == meant

    def test_says_where_no_request_repeats_it(
        self, client: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        experiment_id = submit(client)
        # No other request may have the test loss set the learning rate.
        monkeypatch.setattr(experiment_specs, "STUDY", replace(STUDY, configs=STUDY.configs[:2]))

        assert "No request of this version means the same runs." in read_markdown(client, experiment_id)

    def test_names_devices_seeds_and_versions(self, client: TestClient, app: FastAPI) -> None:
        import torch

        experiment_id = submit(client, configs=[{}], seeds=[4, 9])
        finish_runs(app, experiment_id, climb)

        text = read_markdown(client, experiment_id)

        assert "Seeds: 4, 9." in text
        assert "Trained on: cpu of the test: 2 runs." in text
        assert f"| torch | {torch.__version__.split('+')[0]}" in text

    def test_markup_in_a_label_is_text(self, client: TestClient, app: FastAPI) -> None:
        experiment_id = submit(client, configs=[{"label": "a|b*c_<d>"}, {"normalization": "group"}])
        finish_runs(app, experiment_id, climb)

        text = read_markdown(client, experiment_id)

        assert "| a|b" not in text
        assert r"| a\|b\*c\_\<d\> |" in text

    def test_a_single_configuration_is_compared_with_nothing(self, client: TestClient, app: FastAPI) -> None:
        experiment_id = submit(client, configs=[{}])
        finish_runs(app, experiment_id, climb)

        text = read_markdown(client, experiment_id)

        assert (
            "batch: final test accuracy 95.00 %, one seed, so without an interval. Nothing is compared"
            in text
        )
        assert "With a single configuration there is nothing to compare." in text
        assert "/ranking" not in text

    def test_a_factor_that_matters_is_said_to(self, client: TestClient, app: FastAPI) -> None:
        normalizations = ["batch", "group", "layer"]
        grid = submit(client, grid={"normalization": normalizations, "penalty": ["none", "l2"]}, seeds=8)
        finish_runs(app, grid, climb)

        text = read_markdown(client, grid)

        assert "**Does normalization matter, all else equal?: yes.**" in text
        assert "normalization group is better than layer by 3.00" in text
        assert "**Does penalty matter, all else equal?: practically the same.**" in text


class TestUnfinished:
    def test_nothing_begun_says_what_is_missing(self, client: TestClient) -> None:
        study = submit(client)

        text = read_markdown(client, study)

        assert "0 of 4 runs completed (4 queued)" in text
        assert "No run has completed yet, so there is nothing to conclude." in text
        assert "No completed run yet of group, batch, layer and instance." in text
        assert client.get(f"/experiments/{study}/report").status_code == 200

    def test_what_is_there_is_reported(self, client: TestClient, app: FastAPI) -> None:
        study = submit(client)
        finish_runs(app, study, climb, leave_out=[3])

        text = read_markdown(client, study)

        assert "3 of 4 runs completed (1 queued)" in text
        assert "group + L1 has the highest mean" in text
        assert "No completed run yet of instance." in text
        assert "Not completed, and so not counted here: 1 run." in text

    def test_no_experiment_no_report(self, client: TestClient) -> None:
        response = client.get("/experiments/99/report")

        assert (response.status_code, response.json()["error"]) == (404, "not_found")
