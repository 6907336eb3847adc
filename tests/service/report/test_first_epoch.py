"""The report's section about gradients and activations in the first epoch."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.report.sections.first_epoch import write_number
from tests.service.finished_runs import record_layers, submit

pytestmark = pytest.mark.slow

TITLE = "Gradients and activations in the first epoch"


def read_section(client: TestClient, experiment_id: int) -> str:
    text = client.get(f"/experiments/{experiment_id}/report?format=markdown").text
    (section,) = (part for part in text.split("\n## ") if TITLE in part.splitlines()[0])
    return section


def test_says_what_the_figure_shows(client: TestClient, app: FastAPI) -> None:
    configs = [{}, {"normalization": "none"}, {"normalization": "layer"}]
    experiment = submit(client, configs=configs, seeds=3)
    record_layers(app, {1: {0: 0.1, 4: 8.0}, 2: {0: 0.2, 4: 1.0}, 3: {0: 40.0, 4: 2.0}})
    record_layers(app, {4: {0: 1e-4, 4: 3e-3}, 7: {0: 1.0, 4: None}})

    section = read_section(client, experiment)

    assert f"![{TITLE}](http://testserver/experiments/{experiment}/plots/first-epoch.png)" in section
    first, variances, last = (line for line in section.splitlines() if line.startswith("- "))
    assert first == (
        "- Before the first step the gradient norm of the first convolution is largest in layer (1.0) and "
        "smallest in no norm (1.0·10⁻⁴): a ratio of 10,000."
    )
    assert variances == (
        "- Before the first step the variance of the activations changes from the first convolution to the "
        "last, the logits, by a factor of 51 (batch), 100,000 (no norm) and 11 (layer)."
    )
    assert last == (
        "- At the last step measured the gradient norm of the first convolution is largest in batch (2.0) "
        "and smallest in no norm (0.0030): a ratio of 670."
    )
    assert "they do not show that a difference in them causes a difference in accuracy." in section


def test_a_single_configuration_is_compared_with_nothing(client: TestClient, app: FastAPI) -> None:
    experiment = submit(client, configs=[{}])
    record_layers(app, {1: {0: 0.5}})

    (line,) = (line for line in read_section(client, experiment).splitlines() if line.startswith("- "))

    assert line.endswith("by a factor of 21 (batch).")


def test_runs_begun_by_an_older_version_are_compared_at_the_end_alone(
    client: TestClient, app: FastAPI
) -> None:
    experiment = submit(client, configs=[{}, {"normalization": "none"}])
    record_layers(app, {1: {64: 1.0}, 2: {64: 2.0}})

    (line,) = (line for line in read_section(client, experiment).splitlines() if line.startswith("- "))

    assert line.startswith("- At the last step measured")


def test_without_statistics_there_is_a_sentence_and_no_figure(client: TestClient) -> None:
    section = read_section(client, submit(client, configs=[{}]))

    assert "No run has layer statistics" in section
    assert "![" not in section


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.18, "0.18"),
        (1, "1.0"),
        (9.99, "10"),
        (4_742, "4,700"),
        (3.6e-9, "3.6·10⁻⁹"),
        (9.99e-5, "1.0·10⁻⁴"),
        (2.5e7, "2.5·10⁷"),
    ],
)
def test_numbers_have_two_digits(value: float, words: str) -> None:
    assert write_number(value) == words
