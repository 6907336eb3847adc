"""Many who watch while two workers share the runs."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.events import parse_events
from tests.processes import Processes

pytestmark = pytest.mark.slow

NUM_CLIENTS = 50
NUM_STREAMS = 15
NUM_ROUNDS = 2
NUM_EPOCHS = 8


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """A service and two workers, all on one database file."""
    processes, second = Processes(tmp_path), Processes(tmp_path)
    processes.start("service")
    processes.start("worker")
    second.start("worker")
    try:
        processes.wait_for_service()
        yield processes
    finally:
        second.stop()
        processes.stop()


async def poll(client: httpx.AsyncClient, number: int) -> list[int]:
    """What a dashboard asks for, again and again; every fifth client also queues and cancels."""
    paths = [
        "/experiments",
        "/experiments?status=running",
        "/experiments/1",
        "/experiments/1/curves",
        "/runs/1",
    ]
    statuses = []
    for _ in range(NUM_ROUNDS):
        for path in paths:
            statuses.append((await client.get(path)).status_code)
        if number % 5 == 0:
            body = {"configs": [{}], "epochs": 1}
            experiment = await client.post("/experiments", json=body)
            cancelled = await client.post(f"/experiments/{experiment.json()['id']}/cancel")
            statuses += [experiment.status_code, cancelled.status_code]
    return statuses


async def follow(client: httpx.AsyncClient) -> list[tuple[int, int]]:
    """Every epoch of experiment 1, as its stream tells them."""
    async with client.stream("GET", "/experiments/1/events?since=0") as answer:
        lines = [line async for line in answer.aiter_lines()]
    events = parse_events(lines)
    return [(event.data["run_id"], event.data["epoch"]) for event in events if event.name == "epoch"]


async def watch(address: httpx.URL) -> tuple[list[list[int]], list[list[tuple[int, int]]]]:
    # Less than the service keeps an idle connection for, so that none is used that it is about to close.
    limits = httpx.Limits(max_connections=NUM_CLIENTS + NUM_STREAMS, keepalive_expiry=1.0)
    async with httpx.AsyncClient(base_url=address, timeout=120, trust_env=False, limits=limits) as client:
        streams = asyncio.gather(*[follow(client) for _ in range(NUM_STREAMS)])
        answers = await asyncio.gather(*[poll(client, number) for number in range(NUM_CLIENTS)])
        return answers, await streams


def test_fifty_clients_poll_and_stream_while_two_workers_train(processes: Processes) -> None:
    body = {"configs": [{"normalization": "batch"}, {"normalization": "layer"}], "epochs": NUM_EPOCHS}
    runs = processes.client.post("/experiments", json=body).json()["runs"]
    processes.wait_for_run(1, epoch=1)
    processes.wait_for_run(2, epoch=1)

    answers, streams = asyncio.run(watch(processes.client.base_url))

    counts = Counter(status for statuses in answers for status in statuses)
    num_submitted = NUM_CLIENTS // 5 * NUM_ROUNDS
    assert counts == {200: NUM_CLIENTS * NUM_ROUNDS * 5 + num_submitted, 202: num_submitted}
    every_epoch = [(run["id"], epoch) for run in runs for epoch in range(1, NUM_EPOCHS + 1)]
    assert all(sorted(epochs) == every_epoch for epochs in streams)
    for log in processes.folder.glob("*.log"):
        assert "locked" not in log.read_text()
