"""POST /experiments with "tune": learning rates are chosen first, then the comparison is trained."""

from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.database.tables import Run, now
from lab.experiments.configs import RunConfig
from service.caretaker import take_care
from tests.service.finished_runs import finish_runs, submit

BODY: dict[str, Any] = {
    "configs": [{"normalization": "batch"}, {"normalization": "group"}],
    "seeds": 6,
    "epochs": 2,
    "tune": {"learning_rate": [0.02, 0.08, 0.32], "seeds": 2, "epochs": 1},
}


def validate(config: RunConfig) -> float:
    """The best rate of batch normalization is 0.08, that of group normalization 0.02."""
    best = 0.08 if config.normalization == "batch" else 0.02
    return 0.9 - abs(config.learning_rate - best)


def score(config: RunConfig) -> list[float]:
    return [0.9 + config.seed % 7 / 1_000 + (0.01 if config.normalization == "group" else 0)]


def read(client: TestClient, experiment_id: int) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/experiments/{experiment_id}").json()
    return answer


def tune(client: TestClient, app: FastAPI, experiment_id: int) -> None:
    """Complete the tuning, and let the service choose."""
    tuning_id = read(client, experiment_id)["tuning"]["experiment_id"]
    finish_runs(app, tuning_id, score, validation_accuracy=validate)
    take_care(app.state.resources)


def test_runs_wait_until_the_rates_are_chosen_and_are_trained_with_them(
    client: TestClient, app: FastAPI
) -> None:
    experiment_id = submit(client, **BODY)
    before = read(client, experiment_id)
    take_care(app.state.resources)
    assert read(client, experiment_id)["tuning"]["points"] == []
    with app.state.resources.database.transaction() as session:
        job_ids = session.scalars(sa.select(Run.job_id).where(Run.experiment_id == experiment_id)).all()

    tune(client, app, experiment_id)

    assert (before["status"], before["num_runs"]) == ("queued", 12)
    assert before["warnings"][-1] == "Its runs wait for their learning rates, which experiment 2 tries."
    assert set(job_ids) == {None}
    after = read(client, experiment_id)
    assert after["status"] == "queued"
    rates = {(run["normalization"], run["recipe"]["learning_rate"]) for run in after["runs"]}
    assert rates == {("batch", 0.08), ("group", 0.02)}
    points = after["tuning"]["points"]
    chosen = {point["label"]: point["learning_rate"] for point in points if point["is_chosen"]}
    assert (chosen, len(points)) == ({"batch": 0.08, "group": 0.02}, 6)
    with app.state.resources.database.transaction() as session:
        assert all(session.scalars(sa.select(Run.job_id).where(Run.experiment_id == experiment_id)).all())


def test_the_tuned_rate_confounds_nothing_and_the_report_shows_its_curves(
    client: TestClient, app: FastAPI
) -> None:
    experiment_id = submit(client, **BODY)
    tune(client, app, experiment_id)
    finish_runs(app, experiment_id, score)

    comparison = client.get(f"/experiments/{experiment_id}/comparison").json()
    (pair,) = comparison["pairs"]
    assert pair["differing"] == ["normalization"]
    assert not any("Confounded" in warning for warning in pair["warnings"])
    assert comparison["factors"]["effects"]["normalization"]
    warnings = read(client, experiment_id)["warnings"]
    assert any("the learning rate that served it best" in warning for warning in warnings)
    plots = client.get(f"/experiments/{experiment_id}/plots").json()["plots"]
    assert "tuning" in {plot["name"] for plot in plots}
    assert client.get(f"/experiments/{experiment_id}/plots/tuning.svg").status_code == 200
    report = client.get(f"/experiments/{experiment_id}/report?format=markdown").text
    assert "learning rates 0.02, 0.08 and 0.32, 2 seeds each, for 1 epoch (experiment 2)" in report
    assert "The best rate of group is the lowest or highest that was tried" in report


def test_a_plan_counts_its_runs(client: TestClient) -> None:
    plan = client.post("/experiments/plan", json={"dataset": "digits", **BODY}).json()

    assert (plan["num_runs"], plan["num_tuning_runs"]) == (12, 12)


def test_repeated_requests_with_one_key_tune_once(client: TestClient) -> None:
    headers = {"Idempotency-Key": "once"}
    ids = [
        client.post("/experiments", json={"dataset": "digits", **BODY}, headers=headers).json()["id"]
        for _ in range(2)
    ]

    assert ids[0] == ids[1]
    assert len(client.get("/experiments").json()["experiments"]) == 2


def test_more_seeds_wait_too(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, **BODY)

    client.post(f"/experiments/{experiment_id}/seeds", json={"add": 1}).raise_for_status()
    tune(client, app, experiment_id)

    runs = read(client, experiment_id)["runs"]
    assert len(runs) == 14
    assert {run["recipe"]["learning_rate"] for run in runs} == {0.02, 0.08}


def test_paused_runs_stay_paused_when_the_rates_are_chosen(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, **BODY)

    client.post(f"/experiments/{experiment_id}/pause").raise_for_status()
    paused = read(client, experiment_id)["status"]
    tune(client, app, experiment_id)
    chosen = read(client, experiment_id)
    client.post(f"/experiments/{experiment_id}/resume").raise_for_status()

    assert (paused, chosen["status"], read(client, experiment_id)["status"]) == ("paused", "paused", "queued")
    assert {run["recipe"]["learning_rate"] for run in chosen["runs"]} == {0.02, 0.08}


def test_resumed_before_the_rates_are_chosen_they_wait_again(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, **BODY)
    for action in ("pause", "resume"):
        client.post(f"/experiments/{experiment_id}/{action}").raise_for_status()

    with app.state.resources.database.transaction() as session:
        job_ids = session.scalars(sa.select(Run.job_id).where(Run.experiment_id == experiment_id)).all()
    assert set(job_ids) == {None}
    assert read(client, experiment_id)["status"] == "queued"


def test_a_cancelled_comparison_is_not_begun(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, **BODY)

    client.post(f"/experiments/{experiment_id}/cancel").raise_for_status()
    tune(client, app, experiment_id)

    assert read(client, experiment_id)["status"] == "cancelled"


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_without_its_tuning_it_fails_and_says_why(client: TestClient, app: FastAPI, end: str) -> None:
    experiment_id = submit(client, **BODY)
    if end == "cancel":
        client.post(f"/experiments/{experiment_id + 1}/cancel").raise_for_status()
    else:
        client.delete(f"/experiments/{experiment_id + 1}").raise_for_status()

    take_care(app.state.resources)

    experiment = read(client, experiment_id)
    assert experiment["status"] == "failed"
    error = f"None of its learning rates was trained to the end in experiment {experiment_id + 1}."
    assert {run["error"] for run in experiment["runs"]} == {error}


def test_a_configuration_that_never_trains_fails_alone(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, **BODY)
    with app.state.resources.database.transaction() as session:
        for run in session.scalars(sa.select(Run).where(Run.experiment_id == experiment_id + 1)):
            if run.config["normalization"] == "group":
                run.finished_at, run.error = now(), "diverged"

    finish_runs(app, experiment_id + 1, score, validation_accuracy=validate, leave_out=range(6, 12))
    take_care(app.state.resources)

    statuses = {(run["label"], run["status"]) for run in read(client, experiment_id)["runs"]}
    assert statuses == {("batch", "queued"), ("group", "failed")}


def test_seeds_added_later_have_the_chosen_rates(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, **BODY)
    client.post(f"/experiments/{experiment_id}/cancel").raise_for_status()
    client.post(f"/experiments/{experiment_id}/seeds", json={"add": 6}).raise_for_status()
    waiting = read(client, experiment_id)["runs"][12:]

    tune(client, app, experiment_id)
    client.post(f"/experiments/{experiment_id}/seeds", json={"add": 1}).raise_for_status()

    assert {run["status"] for run in waiting} == {"queued"}
    rates = {
        (run["label"], run["recipe"]["learning_rate"]) for run in read(client, experiment_id)["runs"][12:]
    }
    assert rates == {("batch", 0.08), ("group", 0.02)}


def test_seeds_added_to_the_tuning_do_no_harm(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, **BODY)
    client.post(f"/experiments/{experiment_id + 1}/seeds", json={"add": 1}).raise_for_status()

    tune(client, app, experiment_id)

    assert {run["recipe"]["learning_rate"] for run in read(client, experiment_id)["runs"]} == {0.02, 0.08}


def test_seeds_cannot_be_added_where_no_rate_could_be_trained(client: TestClient, app: FastAPI) -> None:
    experiment_id = submit(client, **BODY)
    client.post(f"/experiments/{experiment_id + 1}/cancel").raise_for_status()
    take_care(app.state.resources)

    for body in ({"add": 1}, {"until": "settled", "max": 12}):
        answer = client.post(f"/experiments/{experiment_id}/seeds", json=body)
        assert answer.status_code == 422
        assert "No configuration has a learning rate" in answer.json()["detail"]
