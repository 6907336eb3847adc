"""Presets, plans and estimates: what is asked for, how many runs it makes and how long they take."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.datasets.load import DATASETS
from lab.experiments.planning import ExperimentRequest, plan_experiment
from lab.queue.worker_slots import claim_slot
from lab.queue.workers import record_heartbeat
from lab.runs.durations import estimate_duration
from tests.lab.runs.situations import make_signs
from tests.service.finished_runs import finish_runs, submit

# Of the digits' 1,437 training images a twelfth is held out.
NUM_IMAGES = 1_437 - 120


class TestPresets:
    def test_are_listed_with_requests_that_are_accepted(self, client: TestClient) -> None:
        presets = {preset["name"]: preset for preset in client.get("/presets").json()["presets"]}

        assert list(presets) == ["study", "fair-grid", "fair-tuned", "batch-size", "best"]
        sizes = {name: preset["num_configurations"] for name, preset in presets.items()}
        assert sizes == {"study": 4, "fair-grid": 20, "fair-tuned": 20, "batch-size": 14, "best": 1}
        for name, preset in presets.items():
            assert preset["description"].endswith(".")
            by_request = client.post(
                "/experiments/plan", json={"dataset": "digits", **preset["request"]}
            ).json()
            by_name = client.post("/experiments/plan", json={"dataset": "digits", "preset": name}).json()
            assert by_request["configurations"] == by_name["configurations"]
            assert by_request["num_runs"] == preset["num_configurations"] * preset["num_seeds"]

    def test_are_queued_by_name(self, client: TestClient) -> None:
        answer = client.post("/experiments", json={"preset": "fair-grid", "epochs": 1, "seeds": 1}).json()

        assert (answer["preset"], answer["num_runs"], answer["dataset"]) == ("fair-grid", 20, "digits")

    def test_beside_a_grid_are_refused_and_queue_nothing(self, client: TestClient) -> None:
        response = client.post("/experiments", json={"preset": "best", "grid": {"normalization": ["batch"]}})

        assert response.status_code == 422
        assert response.json()["error"] == "invalid_config"
        assert client.get("/experiments").json()["experiments"] == []


class TestPlan:
    def test_counts_and_queues_nothing(self, client: TestClient) -> None:
        body = {"grid": {"normalization": ["batch", "group"], "batch_size": [2, 128]}, "seeds": [3, 5, 9]}

        plan = client.post("/experiments/plan", json=body).json()

        assert plan["configurations"] == [
            "batch, batch_size 2",
            "batch, batch_size 128",
            "group, batch_size 2",
            "group, batch_size 128",
        ]
        assert (plan["num_runs"], plan["seeds"], plan["dataset"]) == (12, [3, 5, 9], "digits")
        assert any("Cannot conclude" in warning for warning in plan["warnings"])
        assert client.get("/experiments").json()["experiments"] == []

    def test_says_what_changes_together_with_the_normalization(self, client: TestClient) -> None:
        configs = [{"dropout": 0.1}, {"normalization": "group", "dropout": 0.2}]

        plan = client.post("/experiments/plan", json={"configs": configs, "seeds": 6}).json()

        assert any("Normalization and dropout change together" in text for text in plan["warnings"])

    def test_says_that_each_normalization_has_a_learning_rate_of_its_own(self, client: TestClient) -> None:
        configs = [{"learning_rate": 0.1}, {"normalization": "group", "learning_rate": 0.01}]

        (warning,) = client.post("/experiments/plan", json={"configs": configs, "seeds": 6}).json()[
            "warnings"
        ]

        assert warning.startswith("Each normalization has a learning rate of its own")

    def test_of_an_empty_body_is_the_studys(self, client: TestClient) -> None:
        plan = client.post("/experiments/plan").json()

        assert (plan["preset"], plan["num_runs"]) == ("study", 4)


class TestEstimate:
    def test_is_unknown_before_anything_was_trained(self, client: TestClient) -> None:
        answer = client.post("/experiments", json={"epochs": 1}).json()

        assert answer["estimated_seconds"] is None
        assert answer["estimate_basis"] == "Nothing has been trained yet."

    def test_comes_from_recorded_epochs_of_runs_alike(self, client: TestClient, app: FastAPI) -> None:
        """Batch took 2 s an epoch and group 6; other batch sizes are taken like the nearest."""
        slow = submit(client, configs=[{"normalization": "group"}], epochs=2)
        finish_runs(app, slow, lambda config: [0.5, 0.6], seconds=6.0)
        fast = submit(client, configs=[{}, {"batch_size": 16}], epochs=2)
        finish_runs(app, fast, lambda config: [0.5, 0.6], seconds=2.0)

        def plan(**body: object) -> float:
            answer = client.post("/experiments/plan", json={"dataset": "digits", **body}).json()
            assert "cpu of the test, shared by 1 worker" in answer["estimate_basis"]
            return float(answer["estimated_seconds"])

        assert plan(configs=[{}], epochs=10, seeds=6) == pytest.approx(6 * 10 * 2)
        assert plan(grid={"normalization": ["batch", "group"]}, epochs=5) == pytest.approx(5 * (2 + 6))
        assert plan(configs=[{}], epochs=1, batch_size=256) == pytest.approx(2)
        unseen = client.post("/experiments/plan", json={"configs": [{}], "batch_size": 8}).json()
        assert "It may be far off: no run had batches of 8 yet." in unseen["estimate_basis"]
        half = {"validation_size": 1_437 - NUM_IMAGES // 2, "batch_size": 64}
        assert plan(configs=[{"normalization": "group"}], epochs=1, **half) == pytest.approx(3, rel=1e-2)
        assert client.post("/experiments", json={"configs": [{}], "epochs": 3}).json()[
            "estimated_seconds"
        ] == pytest.approx(6)

    def test_is_of_the_living_workers_device_and_shared_by_them(
        self, client: TestClient, app: FastAPI
    ) -> None:
        done = submit(client, configs=[{}], epochs=1)
        finish_runs(app, done, lambda config: [0.5], seconds=2.0)

        def plan() -> dict[str, Any]:
            body = {"configs": [{}], "epochs": 10}
            answer: dict[str, Any] = client.post("/experiments/plan", json=body).json()
            return answer

        with (
            claim_slot(app.state.resources.database) as first,
            claim_slot(app.state.resources.database) as second,
        ):
            for worker_id in (first, second):
                beat(app, worker_id, device="cpu of the test")
            shared = plan()
            for worker_id in (first, second):
                beat(app, worker_id, device="a new device")
            unknown = plan()

        assert shared["estimated_seconds"] == pytest.approx(10)
        assert "shared by 2 workers" in shared["estimate_basis"]
        assert unknown["estimated_seconds"] is None
        assert unknown["estimate_basis"] == "Nothing has been trained on a new device yet."

    def test_comes_from_other_data_where_nothing_else_is_known(
        self, client: TestClient, app: FastAPI
    ) -> None:
        done = submit(client, configs=[{}], epochs=1)
        finish_runs(app, done, lambda config: [0.5], seconds=2.0)
        with app.state.resources.database.transaction() as session:
            request = ExperimentRequest(name=None, configs=None, grid=None, seeds=None, recipe={})
            runs = plan_experiment(request, dataset=DATASETS["kmnist"]).runs
            found = estimate_duration(session, runs, dataset="kmnist")

        num_images = 4 * 25 * 60_000
        assert found.seconds == pytest.approx(num_images * 2.0 / NUM_IMAGES)
        assert found.basis.startswith("From recorded epochs on digits with cpu of the test")
        assert found.basis.endswith("nothing has been trained on kmnist there yet.")


def beat(app: FastAPI, worker_id: str, *, device: str) -> None:
    with app.state.resources.database.transaction() as session:
        record_heartbeat(session, worker_id, signs=make_signs(device=device))
