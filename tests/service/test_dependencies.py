"""Many requests at once."""

import asyncio
from collections import Counter

import httpx2
from fastapi import FastAPI

NUM_REQUESTS = 300


async def ask_at_once(app: FastAPI) -> list[int]:
    """Status codes of many requests that read, write, and write again once they are answered."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=None) as client:
        submitted = (await client.post("/experiments", json={"dataset": "digits"})).json()["id"]
        asked = [("GET", "/experiments"), ("GET", "/runs/1"), ("POST", f"/experiments/{submitted}/cancel")]
        answers = [client.request(*asked[number % len(asked)]) for number in range(NUM_REQUESTS)]
        return [answer.status_code for answer in await asyncio.gather(*answers)]


def test_requests_that_outnumber_connections_and_threads_do_not_wait_for_each_other(app: FastAPI) -> None:
    # Had they all a connection and waited for a thread, and all threads waited for a connection, each would
    # wait until the pool gives up.
    assert Counter(asyncio.run(ask_at_once(app))) == {200: NUM_REQUESTS}
