"""POST /experiments/{id}/seeds: more seeds for every configuration, and what another look costs."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.database.tables import Run
from lab.experiments.configs import RunConfig
from tests.service.finished_runs import finish_runs, submit

CONFIGS = [{"normalization": "batch"}, {"normalization": "group"}]


def climb(config: RunConfig) -> list[float]:
    noise = (0.0, 0.004, -0.003, 0.002, -0.001, 0.005, -0.004, 0.001)[config.seed]
    return [0.9 + noise + (0.02 + noise / 5 if config.normalization == "group" else 0.0)]


def add_seeds(client: TestClient, experiment_id: int, **body: Any) -> dict[str, Any]:
    response = client.post(f"/experiments/{experiment_id}/seeds", json=body)
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_queues_the_next_seeds_of_every_configuration(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=[3, 7], epochs=2)

    answer = add_seeds(client, experiment_id, add=2)

    runs = [(run["label"], run["seed"], run["epochs"]) for run in answer["runs"][4:]]
    assert runs == [("batch", 8, 2), ("batch", 9, 2), ("group", 8, 2), ("group", 9, 2)]
    with app.state.resources.database.transaction() as session:
        assert all(session.scalars(sa.select(Run.job_id)).all())


def test_a_look_that_was_not_planned_is_judged_at_half_the_level(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=6)
    finish_runs(app, experiment_id, climb)
    first = client.get(f"/experiments/{experiment_id}/comparison").json()
    assert (first["level"], first["looks"], first["pairs"][0]["outcome"]) == (0.05, [], "b_better")

    # A p of 2/64 is not below 0.025; with one more seed it is.
    add_seeds(client, experiment_id, add=1)
    waiting = client.get(f"/experiments/{experiment_id}/comparison").json()
    with app.state.resources.database.transaction() as session:
        new = session.scalars(sa.select(Run.id).where(Run.finished_at.is_(None))).all()
    assert len(new) == 2
    finish_new(app, experiment_id)
    answer = client.get(f"/experiments/{experiment_id}/comparison").json()

    assert waiting["pairs"][0]["outcome"] == "no_difference_found"
    assert answer["level"] == 0.025
    assert [(look["num_seeds"], look["level"]) for look in answer["looks"]] == [(6, 0.05), (7, 0.025)]
    assert answer["pairs"][0]["outcome"] == "b_better"
    assert any(
        "Looked at before with 6 seeds. This look is judged at 2.50 %; over all looks the chance of any "
        "false difference is at most 7.50 %." in warning
        for warning in answer["warnings"]
    )


def finish_new(app: FastAPI, experiment_id: int) -> None:
    """Complete the runs that were added, in the places after the first twelve."""
    finish_runs(app, experiment_id, climb, leave_out=range(12))


def test_requests_at_once_add_different_seeds(client: TestClient) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=2)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: add_seeds(client, experiment_id, add=2), range(4)))

    runs = client.get(f"/experiments/{experiment_id}").json()["runs"]
    expected = [(label, seed) for label in ("batch", "group") for seed in range(10)]
    assert sorted((run["label"], run["seed"]) for run in runs) == expected


def test_before_any_result_it_costs_nothing(client: TestClient) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=2)
    add_seeds(client, experiment_id, add=4)

    assert client.get(f"/experiments/{experiment_id}/comparison").json()["level"] == 0.05


def test_the_report_repeats_all_seeds(client: TestClient) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=2)
    add_seeds(client, experiment_id, add=1)

    text = client.get(f"/experiments/{experiment_id}/report?format=markdown").text

    assert '"seeds": 3' in text


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "add"),
        ({"add": 0}, 422, "add"),
        ({"add": True}, 422, "add"),
        ({"add": 2, "more": 1}, 422, "more"),
        ({"add": 500}, 422, "2 configurations × 502 seeds are 1004 runs"),
        ({"until": "settled", "max": 5}, 422, "max is 5; it must be at least 6"),
        ({"until": "settled", "max": 0}, 422, "max is 0; it must be at least 6"),
        ({"until": "settled", "max": 501}, 422, "2 configurations × 501 seeds are 1002 runs"),
        ({"until": "significant"}, 422, "settled"),
        ({"until": "settled", "add": 4}, 422, 'give {"add": n}, or {"until": "settled", "max": n}'),
        ({"add": 4, "max": 9}, 422, 'give {"add": n}'),
        ({"until": "settled", "max": "9"}, 422, "max: Input should be a valid integer"),
    ],
)
def test_refuses_what_cannot_be(client: TestClient, body: dict[str, Any], status: int, words: str) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=2)

    response = client.post(f"/experiments/{experiment_id}/seeds", json=body)

    assert response.status_code == status
    assert words in response.json()["detail"]
    assert len(client.get(f"/experiments/{experiment_id}").json()["runs"]) == 4


def test_of_no_experiment(client: TestClient) -> None:
    assert client.post("/experiments/99/seeds", json={"add": 1}).status_code == 404
