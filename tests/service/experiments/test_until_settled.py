"""POST /experiments/{id}/seeds {"until": "settled"}: planned looks, taken one by one by the service."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.database.tables import Run, now
from lab.experiments.configs import RunConfig
from lab.runs.seeds import take_next_look
from service.caretaker import take_care
from tests.service.finished_runs import finish_runs, submit

CONFIGS = [{"normalization": "batch"}, {"normalization": "group"}]


def stay_apart(config: RunConfig) -> list[float]:
    """Group is ahead with every seed."""
    noise = (config.seed * 7 % 11 - 5) / 5_000
    return [0.9 + noise + (0.02 + noise / 5 if config.normalization == "group" else 0.0)]


def cross(config: RunConfig) -> list[float]:
    """Group is as often ahead as behind."""
    return [0.9 + (0.02 * (-1) ** config.seed if config.normalization == "group" else 0.0)]


def start(client: TestClient, experiment_id: int, *, most: int) -> dict[str, Any]:
    answer = client.post(f"/experiments/{experiment_id}/seeds", json={"until": "settled", "max": most})
    assert answer.status_code == 202, answer.text
    experiment: dict[str, Any] = answer.json()
    return experiment


def finish_all(app: FastAPI, experiment_id: int, accuracies: Any) -> None:
    """Complete the runs that are left, and let the service look at them."""
    runs = TestClient(app).get(f"/experiments/{experiment_id}").json()["runs"]
    done = [place for place, run in enumerate(runs) if run["finished_at"]]
    finish_runs(app, experiment_id, accuracies, leave_out=done)
    take_care(app.state.resources)


def test_stops_at_the_first_look_that_settles_everything(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=2)

    begun = start(client, experiment_id, most=24)
    finish_all(app, experiment_id, stay_apart)

    assert (begun["num_runs"], begun["is_settling"]) == (12, True)
    assert begun["warnings"][-1] == (
        "Seeds are added until every pair is settled; further looks are planned with 10, 16 and 24 seeds."
    )
    experiment = client.get(f"/experiments/{experiment_id}").json()
    assert (experiment["num_runs"], experiment["is_settling"]) == (12, False)
    answer = client.get(f"/experiments/{experiment_id}/comparison").json()
    assert (answer["level"], answer["pairs"][0]["outcome"]) == (1 / 32, "b_better")
    assert [look["num_seeds"] for look in answer["looks"]] == [6, 10, 16, 24]
    assert any(
        "Looks were planned with 6, 10, 16 and 24 seeds, until every pair is settled. This look is judged at "
        "3.12 %; over all looks the chance of any false difference is at most 5.00 %. No more seeds are "
        "added, so that the looks left are not taken." in warning
        for warning in answer["warnings"]
    )


def test_goes_on_to_the_last_look_where_nothing_settles_it(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=6)
    start(client, experiment_id, most=12)

    counts = []
    for _ in range(4):
        finish_all(app, experiment_id, cross)
        experiment = client.get(f"/experiments/{experiment_id}").json()
        counts.append((experiment["num_runs"], experiment["status"], experiment["is_settling"]))

    assert counts == [
        (20, "queued", True),
        (24, "queued", True),
        (24, "completed", False),
        (24, "completed", False),
    ]
    answer = client.get(f"/experiments/{experiment_id}/comparison").json()
    assert answer["pairs"][0]["outcome"] == "no_difference_found"
    assert answer["level"] < 0.01
    assert any("Looked at before with 6 and 10 seeds." in warning for warning in answer["warnings"])


def test_results_already_seen_cost_half_of_the_level(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=6)
    finish_runs(app, experiment_id, cross)

    begun = start(client, experiment_id, most=16)

    assert begun["num_runs"] == 20
    assert [(look["num_seeds"], look["level"], look["is_planned"]) for look in begun["looks"]] == [
        (6, 0.05, False),
        (10, 0.0125, True),
        (16, 0.0125, True),
    ]


def test_cancelling_ends_it(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=6)
    start(client, experiment_id, most=12)

    client.post(f"/experiments/{experiment_id}/cancel").raise_for_status()
    take_care(app.state.resources)

    experiment = client.get(f"/experiments/{experiment_id}").json()
    assert (experiment["status"], experiment["is_settling"], experiment["num_runs"]) == (
        "cancelled",
        False,
        12,
    )


def test_seeds_added_by_hand_end_the_plan(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=6)
    start(client, experiment_id, most=12)

    answer = client.post(f"/experiments/{experiment_id}/seeds", json={"add": 1}).json()
    finish_all(app, experiment_id, cross)

    assert (answer["is_settling"], answer["num_runs"]) == (False, 14)
    assert client.get(f"/experiments/{experiment_id}").json()["num_runs"] == 14


@pytest.mark.parametrize(("number", "goes_on"), [(1, True), (3, False)])
def test_failed_runs_end_it_only_where_too_few_seeds_could_hold(
    client: TestClient, app: FastAPI, number: int, goes_on: bool
) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=6)
    start(client, experiment_id, most=8)
    fail_group(app, experiment_id, number=number)

    finish_all(app, experiment_id, cross)

    experiment = client.get(f"/experiments/{experiment_id}").json()
    assert (experiment["is_settling"], experiment["num_runs"]) == (goes_on, 16 if goes_on else 12)


def test_each_look_is_judged_at_its_own_level(client: TestClient, app: FastAPI) -> None:
    """Nine seeds of ten are ahead by as much as one is behind: p is 22/1024, between 0.0125 and 0.05."""

    def lead_but_once(config: RunConfig) -> list[float]:
        lead = -0.02 if config.seed == 0 else 0.02
        return [0.9 + (lead if config.normalization == "group" else 0.0)]

    experiment_id = submit(client, configs=CONFIGS, seeds=6)
    finish_runs(app, experiment_id, lead_but_once)
    start(client, experiment_id, most=16)

    finish_all(app, experiment_id, lead_but_once)

    experiment = client.get(f"/experiments/{experiment_id}").json()
    assert (experiment["is_settling"], experiment["num_runs"]) == (True, 32)


def test_two_services_take_a_look_once(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=6)
    start(client, experiment_id, most=24)
    finish_runs(app, experiment_id, cross)
    resources = app.state.resources
    for _ in range(2):
        with resources.database.transaction() as session:
            take_next_look(session, resources.queue, experiment_id, num_seeds=6, is_settled=False)

    assert client.get(f"/experiments/{experiment_id}").json()["num_runs"] == 20


def test_a_level_that_could_find_nothing_is_refused(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, configs=CONFIGS, seeds=6)
    finish_runs(app, experiment_id, cross)
    for _ in range(9):
        client.post(f"/experiments/{experiment_id}/seeds", json={"add": 1}).raise_for_status()

    answer = client.post(f"/experiments/{experiment_id}/seeds", json={"until": "settled", "max": 40})

    assert answer.status_code == 422
    assert "could find nothing" in answer.json()["detail"]


def fail_group(app: FastAPI, experiment_id: int, *, number: int) -> None:
    """Let the last runs of group normalization fail."""
    with app.state.resources.database.transaction() as session:
        runs = session.query(Run).where(Run.experiment_id == experiment_id).order_by(Run.id).all()
        for run in runs[-number:]:
            run.finished_at, run.error = now(), "diverged"
