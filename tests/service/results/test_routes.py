"""GET /experiments/{id}/results: configurations summed up over seeds, as JSON, CSV, Markdown and LaTeX."""

import csv
import io
import statistics
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.experiments.configs import RunConfig
from service.results.tables import escape_latex
from tests.service.finished_runs import finish_runs, submit

ENDS = (0.90, 0.92, 0.97)


@pytest.fixture
def experiment_id(app: FastAPI, client: TestClient) -> int:
    """Batch with three seeds completed; group with one of three: seeds 1 and 2 are queued."""

    def find(config: RunConfig) -> list[float]:
        # Steady for all but the last two epochs: the SD of the last five is that of three zeros and ±0.01.
        return [0.5, *[ENDS[config.seed]] * 3, ENDS[config.seed] - 0.02, ENDS[config.seed]]

    configs = [{"normalization": "batch", "label": "50 % & more_|"}, {"normalization": "group"}]
    experiment_id = submit(client, name="A_B", configs=configs, seeds=3, epochs=6)
    finish_runs(app, experiment_id, find, leave_out=(4, 5))
    return experiment_id


def read(client: TestClient, experiment_id: int, **params: str) -> str:
    response = client.get(f"/experiments/{experiment_id}/results", params=params)
    assert response.status_code == 200, response.text
    return response.text


class TestConfigurations:
    def test_are_summed_up_over_their_completed_runs(self, client: TestClient, experiment_id: int) -> None:
        answer = client.get(f"/experiments/{experiment_id}/results").json()

        batch, group = answer["configurations"]
        accuracy = batch["final_test_accuracy"]
        assert (batch["label"], batch["num_runs"], batch["num_completed"]) == ("50 % & more_|", 3, 3)
        assert (accuracy["n"], accuracy["min"], accuracy["max"]) == (3, 0.90, 0.97)
        assert accuracy["mean"] == pytest.approx(statistics.mean(ENDS))
        assert accuracy["sd"] == pytest.approx(statistics.stdev(ENDS))
        margin = 4.302653 * statistics.stdev(ENDS) / 3**0.5
        assert accuracy["ci_high"] - accuracy["mean"] == pytest.approx(margin, rel=1e-5)
        assert batch["final_test_loss"]["mean"] == pytest.approx(1 - statistics.mean(ENDS))
        assert batch["accuracy_gap"]["mean"] == pytest.approx(0.01)
        assert (batch["parameters"], batch["seconds"]["mean"]) == (7_940, 12.0)
        # Validation is best at the first epoch, whose test accuracy is 0.5.
        assert batch["test_accuracy_at_best_validation"]["mean"] == 0.5
        assert batch["test_loss_at_best_validation"]["mean"] == 0.5
        assert (group["num_runs"], group["num_completed"], group["final_test_accuracy"]["n"]) == (3, 1, 1)
        assert group["final_test_accuracy"]["sd"] is None

    def test_stability_is_the_spread_of_the_last_five_epochs(
        self, client: TestClient, experiment_id: int
    ) -> None:
        batch, _ = client.get(f"/experiments/{experiment_id}/results").json()["configurations"]

        # The same dip of 0.02 among five epochs on every seed; the first epoch, far below, is not among them.
        assert batch["stability"] == pytest.approx(statistics.stdev([0, 0, 0, -0.02, 0]))

    def test_stability_takes_five_epochs_to_tell(self, app: FastAPI, client: TestClient) -> None:
        experiment_id = submit(client, configs=[{}], epochs=4)
        finish_runs(app, experiment_id, lambda config: [0.1, 0.5, 0.8, 0.9])

        (batch,) = client.get(f"/experiments/{experiment_id}/results").json()["configurations"]

        assert batch["final_test_accuracy"]["mean"] == 0.9
        assert batch["stability"] is None

    def test_of_what_has_not_begun_are_empty(self, client: TestClient) -> None:
        answer = client.get(f"/experiments/{submit(client)}/results").json()

        assert len(answer["configurations"]) == len(answer["runs"]) == 4
        for configuration in answer["configurations"]:
            assert configuration["final_test_accuracy"] is None
            assert configuration["stability"] is None
            assert configuration["num_completed"] == 0


class TestFormats:
    def test_csv_has_a_line_a_run_or_a_configuration(self, client: TestClient, experiment_id: int) -> None:
        by_run = list(csv.DictReader(io.StringIO(read(client, experiment_id, format="csv"))))
        text = read(client, experiment_id, format="csv", by="configuration")
        by_configuration = list(csv.DictReader(io.StringIO(text)))

        assert [row["seed"] for row in by_run] == ["0", "1", "2"] * 2
        assert [row["label"] for row in by_configuration] == ["50 % & more_|", "group"]
        assert float(by_configuration[0]["final_test_accuracy_mean"]) == pytest.approx(statistics.mean(ENDS))
        assert by_configuration[1]["final_test_accuracy_sd"] == ""

    def test_markdown_shows_configurations_then_runs(self, client: TestClient, experiment_id: int) -> None:
        text = read(client, experiment_id, format="markdown")

        lines = text.splitlines()
        assert lines[0] == "## A\\_B"
        assert r"| 50 % & more\_\| | 7,940 | 3 | 93.00 ± 8.96 | 3.61 | 90.00 to 97.00 |" in text
        assert "| group | 7,940 | 1 of 3 | 90.00 |" in text
        assert text.index("± is half the 95 % t interval") < text.index("| group | 2 | 7,940 | – |")
        for table in text.split("\n\n"):
            if table.startswith("|"):
                assert len({line.replace(r"\|", "").count("|") for line in table.splitlines()}) == 1

    def test_latex_is_a_booktabs_table_with_everything_escaped(
        self, client: TestClient, experiment_id: int
    ) -> None:
        text = read(client, experiment_id, format="latex")

        assert r"\caption{A\_B}" in text
        body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
        assert body[0].startswith(r"50 \% \& more\_| & 7,940 & 3 & 93.00 $\pm$ 8.96 & 3.61 &")
        columns = text.split(r"\begin{tabular}{")[1].split("}")[0]
        for line in body:
            assert line.endswith(r" \\")
            assert line.replace(r"\&", "").count("&") == len(columns) - 1
        for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
            assert text.count(rule) == 1
        assert r"Cannot conclude which configuration is better: 3 seeds each" in text

    def test_latex_escapes(self) -> None:
        assert escape_latex("a\\b {c}\n#1 $2 ~ ^") == (
            r"a\textbackslash{}b \{c\} \#1 \$2 \textasciitilde{} \textasciicircum{}"
        )

    def test_a_format_there_is_not(self, client: TestClient, experiment_id: int) -> None:
        params: dict[str, Any] = {"format": "xlsx"}
        assert client.get(f"/experiments/{experiment_id}/results", params=params).status_code == 422
