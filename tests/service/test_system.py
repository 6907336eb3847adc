"""Health, data sets, counts, documentation."""

import platform

import pytest
import torch
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.queue.worker_slots import claim_slot
from lab.queue.workers import record_heartbeat
from lab.settings import Settings
from service.app import create_app
from tests.lab.runs.situations import make_signs


def test_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}


def test_tells_which_data_sets_are_at_hand(client: TestClient) -> None:
    datasets = {row["name"]: row for row in client.get("/datasets").json()["datasets"]}

    assert list(datasets) == ["mnist", "digits", "fashion_mnist", "kmnist"]
    assert datasets["digits"]["is_present"]
    assert not datasets["mnist"]["is_present"]
    assert (datasets["mnist"]["train_size"], datasets["mnist"]["test_size"]) == (60_000, 10_000)


def test_lists_the_workers_that_are_there(client: TestClient, app: FastAPI) -> None:
    database = app.state.resources.database
    assert client.get("/workers").json() == {"workers": []}

    with claim_slot(database) as worker_id, database.transaction() as session:
        record_heartbeat(session, worker_id, signs=make_signs(idle_seconds=31.0))
        session.commit()
        (worker,) = client.get("/workers").json()["workers"]

    assert (worker["id"], worker["device"]) == ("worker-1", "cpu")
    assert (worker["is_alive"], worker["is_stalled"], worker["idle_seconds"]) == (True, True, 31.0)
    assert client.get("/workers").json() == {"workers": []}


@pytest.mark.slow
def test_tells_what_it_runs_on_and_what_there_is_to_do(trained_client: TestClient) -> None:
    system = trained_client.get("/system").json()

    assert torch.__version__.startswith(system["versions"]["torch"])
    assert system["versions"]["Python"] == platform.python_version()
    assert (system["database"], system["device"], system["default_dataset"]) == ("sqlite", "auto", "digits")
    assert system["num_runs_by_status"] == {"completed": 2, "queued": 1}


@pytest.mark.slow
def test_counts_runs_by_status(trained_client: TestClient) -> None:
    text = trained_client.get("/metrics").text

    assert 'lab_runs{status="completed"} 2.0' in text
    assert 'lab_runs{status="queued"} 1.0' in text


def test_documents_itself_without_the_internet(client: TestClient) -> None:
    page = client.get("/docs").text

    assert "cdn" not in page
    assert "https://" not in page
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/experiments", "/predict", "/appendix", "/runs/{run_id}/weights"} <= set(paths)
    for operations in paths.values():
        for operation in operations.values():
            assert operation["description"]


def test_submits_the_study_once(settings: Settings) -> None:
    eager = settings.model_copy(update={"submit_study": True, "default_dataset": "auto"})

    for _ in range(2):
        with TestClient(create_app(eager)) as client:
            experiments = client.get("/experiments").json()["experiments"]

    assert [(row["preset"], row["dataset"], row["num_runs"]) for row in experiments] == [
        ("study", "digits", 4)
    ]
