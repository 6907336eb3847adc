"""The events of experiments that have ended, which end too; those that go on are in test_live_events.py."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.events import Event, parse_events
from tests.service.finished_runs import finish_runs, submit

BODY = {"configs": [{"normalization": "batch"}, {"normalization": "none"}], "epochs": 2, "batch_size": 256}


def read_events(client: TestClient, query: str = "", *, last_event_id: str | None = None) -> list[Event]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    answer = client.get(f"/experiments/1/events{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(parse_events(answer.text.split("\n")))


def list_epochs(events: list[Event]) -> list[tuple[int, int]]:
    return [(event.data["run_id"], event.data["epoch"]) for event in events if event.name == "epoch"]


@pytest.fixture
def ended(client: TestClient, app: FastAPI) -> TestClient:
    """A service whose experiment 1 has two runs of two epochs, both completed."""
    finish_runs(app, submit(client, **BODY), lambda config: [0.5, 0.6])
    return client


def test_begin_with_the_experiment_as_it_stands_and_end_with_it(ended: TestClient) -> None:
    first, last = read_events(ended)

    assert (first.name, first.id, first.data) == ("experiment", "2*2", ended.get("/experiments/1").json())
    assert (last.name, last.data) == ("end", {"id": 1})


def test_give_every_epoch_from_the_beginning_if_asked(ended: TestClient) -> None:
    epochs = [event for event in read_events(ended, "?since=0") if event.name == "epoch"]

    assert list_epochs(epochs) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [event.id for event in epochs] == ["1,0", "2,0", "2,1", "2*2"]
    curves = ended.get("/experiments/1/curves").json()["runs"]
    assert [event.data["test_loss"] for event in epochs] == curves[0]["test_loss"] + curves[1]["test_loss"]


@pytest.mark.parametrize("num_received", range(5))
def test_go_on_after_the_last_event_received(ended: TestClient, num_received: int) -> None:
    every = [event for event in read_events(ended, "?since=0") if event.name in ("experiment", "epoch")]

    rest = read_events(ended, last_event_id=every[num_received].id)

    assert list_epochs(rest) == list_epochs(every[num_received + 1 :])


def test_a_position_beyond_what_is_recorded_is_where_it_ends(ended: TestClient) -> None:
    assert list_epochs(read_events(ended, last_event_id="9*2")) == []


@pytest.mark.parametrize("last_event_id", ["rubbish", "1*3"])
def test_an_id_of_something_else_is_refused_before_the_stream_begins(
    ended: TestClient, last_event_id: str
) -> None:
    answer = ended.get("/experiments/1/events", headers={"Last-Event-ID": last_event_id})

    assert answer.status_code == 422
    assert answer.json()["error"] == "invalid_request"


def test_there_are_none_of_what_is_not_there(client: TestClient) -> None:
    assert client.get("/experiments/7/events").json()["error"] == "not_found"
