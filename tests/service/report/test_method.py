"""Method and limitations of a report: true for the schedule, the distortions and the penalty at hand."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.service.finished_runs import finish_runs, submit

pytestmark = pytest.mark.slow


def read_report(client: TestClient, app: FastAPI, **body: Any) -> str:
    experiment_id = submit(client, **body)
    finish_runs(app, experiment_id, lambda config: [0.9 + 0.001 * config.seed])
    response = client.get(f"/experiments/{experiment_id}/report?format=markdown")
    assert response.status_code == 200, response.text
    return response.text


@pytest.mark.parametrize(
    ("schedule", "steering"),
    [
        ("plateau", "when the loss on images held out from the training set stops falling"),
        ("onecycle", "one cycle that is fixed beforehand"),
        ("constant", "The learning rate stays as it is"),
    ],
)
def test_says_what_steers_the_learning_rate(
    client: TestClient, app: FastAPI, schedule: str, steering: str
) -> None:
    text = read_report(client, app, schedule=schedule, configs=[{}])

    assert steering in text
    assert text.count("The learning rate ") == 1


def test_names_every_distortion_and_writes_each_loss_out(client: TestClient, app: FastAPI) -> None:
    text = read_report(
        client,
        app,
        schedule="constant",
        configs=[{"l1": 1e-4}, {"l2": 1e-3, "penalize": "all", "normalization": "layer"}, {"dropout": 0.5}],
        rotation_degrees=5,
        scaling_percent=10,
    )

    assert "Training images are rotated by up to 5° and scaled by up to 10 %, at random" in text
    assert "L = cross-entropy + 0.0001·Σ|w|" in text.replace("\\", "")
    assert "L = cross-entropy + 0.001·Σw², over all parameters" in text
    assert "1 seed: too few to conclude anything" in text
    assert "The same with 6 seeds or more" in text


def test_says_which_differences_other_images_could_undo(client: TestClient, app: FastAPI) -> None:
    right = {"batch": 333, "group": 330, "layer": 300}
    experiment_id = submit(client, configs=[{"normalization": name} for name in right], seeds=6)
    finish_runs(app, experiment_id, lambda config: [right[config.normalization] / 360])

    text = client.get(f"/experiments/{experiment_id}/report?format=markdown").text

    assert "the interval of its lead over group includes no difference." in text
    assert "the interval includes 0 for 1 of 3 differences found between pairs." in text
    assert "Holds for these test images; with others, the interval includes no difference. (1 pair)" in text
    assert "| with other images |" in text
    assert "Every verdict is about other seeds on these 360 test images." in text
