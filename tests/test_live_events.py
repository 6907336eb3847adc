"""Following an experiment while real processes train it."""

import signal
from collections.abc import Iterator

import pytest

from tests.events import Event, parse_events
from tests.processes import Processes
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

NUM_EPOCHS = 8


def follow(processes: Processes, *, last_event_id: str | None = None) -> Iterator[Event]:
    """The events of experiment 1 until the connection is closed."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with processes.client.stream("GET", "/experiments/1/events", headers=headers) as answer:
        yield from parse_events(answer.iter_lines())


def test_a_stream_survives_a_restart_of_the_service_and_misses_nothing(processes: Processes) -> None:
    configs = [{"normalization": "batch"}, {"normalization": "group"}]
    processes.client.post("/experiments", json={"configs": configs, "epochs": NUM_EPOCHS})

    epochs: list[tuple[int, int]] = []
    last_event_id = None
    for event in follow(processes):
        last_event_id = event.id or last_event_id
        if event.name == "epoch":
            epochs.append((event.data["run_id"], event.data["epoch"]))
        if len(epochs) == 3:
            # Told to stop, the service ends the stream at once, and so itself.
            assert processes.send("service", signal.SIGTERM) == 0
            break
    log = processes.folder / "worker.log"
    wait_until(
        lambda: f"epoch 5 of {NUM_EPOCHS}" in log.read_text(),
        timeout_seconds=120,
        what="the worker goes on by itself",
    )
    processes.start("service")
    processes.wait_for_service()
    statuses: dict[int, str] = {}
    names = []
    for event in follow(processes, last_event_id=last_event_id):
        names.append(event.name)
        if event.name == "epoch":
            epochs.append((event.data["run_id"], event.data["epoch"]))
        runs = {"experiment": event.data.get("runs", []), "run": [event.data]}.get(event.name, [])
        statuses |= {run["id"]: run["status"] for run in runs}

    assert sorted(epochs) == [(run_id, epoch) for run_id in (1, 2) for epoch in range(1, NUM_EPOCHS + 1)]
    assert len(set(epochs)) == len(epochs)
    assert (names[0], names[-1]) == ("experiment", "end")
    assert statuses == {1: "completed", 2: "completed"}


def test_a_stream_says_when_its_experiment_is_deleted(processes: Processes) -> None:
    processes.client.post("/experiments", json={"configs": [{}], "epochs": 100})
    processes.wait_for_run(1, epoch=1)

    events = follow(processes)
    assert next(events).name == "experiment"
    processes.client.delete("/experiments/1").raise_for_status()

    assert [event.name for event in events if event.name not in ("epoch", "run", "summary")] == ["deleted"]


def test_a_stream_goes_on_when_seeds_are_added(processes: Processes) -> None:
    processes.client.post("/experiments", json={"configs": [{}], "epochs": 100})
    processes.wait_for_run(1, epoch=1)

    events = follow(processes)
    first = next(events)
    processes.client.post("/experiments/1/seeds", json={"add": 1}).raise_for_status()
    again = next(event for event in events if event.name == "experiment")
    processes.client.post("/experiments/1/cancel").raise_for_status()

    assert [run["seed"] for run in first.data["runs"]] == [0]
    assert [run["seed"] for run in again.data["runs"]] == [0, 1]
    assert str(again.id).endswith(",0")
    assert [event.name for event in events][-1] == "end"
