"""Many requests at once."""

import asyncio
from collections import Counter

import httpx
import pytest
from fastapi import FastAPI

from service.dependencies import MAX_TRANSACTIONS
from service.drawing import rendering

pytestmark = pytest.mark.slow

NUM_REQUESTS = 300


async def ask_at_once(app: FastAPI) -> list[int]:
    """Status codes of many requests that read, write, and write again once they are answered."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=None) as client:
        submitted = (await client.post("/experiments", json={"dataset": "digits"})).json()["id"]
        asked = [("GET", "/experiments"), ("GET", "/runs/1"), ("POST", f"/experiments/{submitted}/cancel")]
        answers = [client.request(*asked[number % len(asked)]) for number in range(NUM_REQUESTS)]
        return [answer.status_code for answer in await asyncio.gather(*answers)]


def test_requests_that_outnumber_connections_and_threads_do_not_wait_for_each_other(app: FastAPI) -> None:
    # Had they all a connection and waited for a thread, and all threads waited for a connection, each would
    # wait until the pool gives up.
    assert Counter(asyncio.run(ask_at_once(app))) == {200: NUM_REQUESTS}


async def ask_while_drawings_wait(app: FastAPI) -> int:
    """Status of a quick question while more requests for figures wait than there are transactions."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=None) as client:
        await client.post("/experiments", json={"dataset": "digits"})
        paths = ["/experiments/1/plots/ranking.png", "/experiments/1/plots/verdicts.png"]
        with rendering.drawing:
            drawings = [
                asyncio.create_task(client.get(paths[number % len(paths)]))
                for number in range(2 * MAX_TRANSACTIONS)
            ]
            drawings.append(asyncio.create_task(client.get("/experiments/1/report")))
            answer = await asyncio.wait_for(client.get("/readyz"), timeout=60)
        assert not any(drawing.done() for drawing in drawings)
        assert {drawing.status_code for drawing in await asyncio.gather(*drawings)} == {200}
        return answer.status_code


def test_quick_answers_do_not_wait_for_figures(app: FastAPI) -> None:
    assert asyncio.run(ask_while_drawings_wait(app)) == 200
