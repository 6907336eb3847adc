"""Cancel, pause, resume, delete, Idempotency-Key: what they do, and that repeating them does no harm."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.database.tables import Base, Checkpoint, Run
from worker.jobs import Trainer

pytestmark = pytest.mark.slow

BODY = {"configs": [{"normalization": "batch"}], "epochs": 3, "batch_size": 256}


def submit(client: TestClient, **changes: Any) -> int:
    experiment_id: int = client.post("/experiments", json={**BODY, **changes}).json()["id"]
    return experiment_id


def ask(client: TestClient, experiment_id: int, what: str) -> str:
    response = client.post(f"/experiments/{experiment_id}/{what}")
    assert response.status_code == 200, response.text
    status: str = response.json()["status"]
    return status


class TestCancel:
    def test_is_final_and_keeps_what_was_measured(
        self, client: TestClient, train: Callable[[int], None]
    ) -> None:
        experiment_id = submit(client, seeds=2)
        train(1)

        assert ask(client, experiment_id, "cancel") == "cancelled"
        assert ask(client, experiment_id, "cancel") == "cancelled"
        assert ask(client, experiment_id, "resume") == "cancelled"
        train(2)

        runs = client.get(f"/experiments/{experiment_id}").json()["runs"]
        assert [(run["status"], run["epoch"]) for run in runs] == [("completed", 3), ("cancelled", 0)]


class TestPause:
    def test_waits_until_it_is_resumed(self, client: TestClient, train: Callable[[int], None]) -> None:
        experiment_id = submit(client)

        assert ask(client, experiment_id, "pause") == "paused"
        assert ask(client, experiment_id, "pause") == "paused"
        train(1)
        assert client.get("/runs/1").json()["epoch"] == 0
        assert ask(client, experiment_id, "resume") == "queued"
        assert ask(client, experiment_id, "resume") == "queued"
        train(1)

        assert client.get("/runs/1").json()["status"] == "completed"

    def test_a_paused_experiment_can_be_cancelled(self, client: TestClient) -> None:
        experiment_id = submit(client)
        ask(client, experiment_id, "pause")

        assert ask(client, experiment_id, "cancel") == "cancelled"
        assert ask(client, experiment_id, "resume") == "cancelled"

    def test_a_completed_one_stays_completed(self, client: TestClient, train: Callable[[int], None]) -> None:
        experiment_id = submit(client, epochs=1)
        train(1)

        for what in ("pause", "cancel", "resume"):
            assert ask(client, experiment_id, what) == "completed"


class TestDelete:
    def test_removes_everything_and_gives_the_space_back(
        self, app: FastAPI, client: TestClient, train: Callable[[int], None]
    ) -> None:
        experiment_id = submit(client, configs=[{"normalization": "layer"}], epochs=1, seeds=2)
        train(1)

        assert client.delete(f"/experiments/{experiment_id}").status_code == 204

        with app.state.resources.database.transaction() as session:
            counts = [
                session.scalar(sa.select(sa.func.count()).select_from(table))
                for table in Base.metadata.sorted_tables
            ]
            assert counts == [0] * len(counts)
            assert session.scalar(sa.text("PRAGMA freelist_count")) == 0
        for path in (f"/experiments/{experiment_id}", "/runs/1", "/runs/1/weights"):
            assert client.get(path).status_code == 404
        assert client.delete(f"/experiments/{experiment_id}").status_code == 404
        assert submit(client) > experiment_id

    @pytest.mark.parametrize("what", ["cancel", "pause", "resume"])
    def test_unknown_experiments_are_not_found(self, client: TestClient, what: str) -> None:
        assert client.post(f"/experiments/99/{what}").status_code == 404


class TestIdempotencyKey:
    def test_the_same_request_gives_the_same_experiment(self, client: TestClient) -> None:
        headers = {"idempotency-key": "k1"}
        first, second = (client.post("/experiments", json=BODY, headers=headers) for _ in range(2))

        assert first.status_code == second.status_code == 202
        assert first.headers["location"] == second.headers["location"]
        assert first.json()["runs"][0]["id"] == second.json()["runs"][0]["id"]
        assert len(client.get("/experiments").json()["experiments"]) == 1

    def test_another_request_is_refused(self, client: TestClient) -> None:
        headers = {"idempotency-key": "k1"}
        client.post("/experiments", json=BODY, headers=headers)

        response = client.post("/experiments", json={**BODY, "epochs": 4}, headers=headers)

        assert (response.status_code, response.json()["error"]) == (409, "idempotency_conflict")
        assert len(client.get("/experiments").json()["experiments"]) == 1

    def test_of_many_at_once_one_is_queued(self, client: TestClient) -> None:
        def send(_: int) -> int:
            response = client.post("/experiments", json=BODY, headers={"idempotency-key": "k2"})
            experiment_id: int = response.json()["id"]
            return experiment_id

        with ThreadPoolExecutor(8) as pool:
            ids = set(pool.map(send, range(16)))

        assert len(ids) == 1
        assert len(client.get("/experiments").json()["experiments"]) == 1

    def test_without_a_key_each_request_counts(self, client: TestClient) -> None:
        assert submit(client) != submit(client)


def test_a_run_deleted_in_training_leaves_nothing_behind(
    app: FastAPI, client: TestClient, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker import jobs

    experiment_id = submit(client, epochs=50)
    with app.state.resources.database.transaction() as session:
        job_id = session.scalars(sa.select(Run.job_id)).one()
    asked = 0

    def delete_in_the_second_epoch() -> bool:
        nonlocal asked
        asked += 1
        if asked == 8:
            assert client.delete(f"/experiments/{experiment_id}").status_code == 204
        return False

    monkeypatch.setattr(
        trainer, "stop", type("Stop", (), {"is_set": staticmethod(delete_in_the_second_epoch)})
    )
    monkeypatch.setattr(jobs, "CONTROL_SECONDS", 0.0)
    trainer.perform(str(job_id))

    assert asked < 12
    with app.state.resources.database.transaction() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Checkpoint)) == 0
