"""What routes are given: the lab's parts, made once by ``create_app``."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, ParamSpec

from anyio import CapacityLimiter
from fastapi import Depends, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from lab.database.engine import Database
from lab.queue.job_queue import JobQueue
from lab.settings import Settings
from service.experiments.feed import ExperimentFeed
from service.mistakes.test_images import ImageStore
from service.predict.predictor import Predictor

P = ParamSpec("P")

# Fewer than the database's pooled connections and the server's threads. A request holds its connection while
# it waits for a thread to write its answer with: were all threads waiting for connections, none would go on.
MAX_TRANSACTIONS = 10
# They take seconds and one core at a time, so that the rest of the transactions is left for quick answers.
MAX_DRAWINGS = 3


@dataclass(frozen=True, kw_only=True)
class Lab:
    """Everything that outlives a request."""

    settings: Settings
    database: Database
    queue: JobQueue
    predictor: Predictor
    image_store: ImageStore
    feed: ExperimentFeed
    is_stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the process is told to stop, so that open streams end."""
    turns: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(MAX_TRANSACTIONS))
    """Held by each request, and what it leaves to be done after it, while it is in a transaction."""
    drawing_turns: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(MAX_DRAWINGS))
    """Held, before a turn, by each request for a figure or a report."""


def get_lab(request: Request) -> Lab:
    """The app's parts."""
    lab: Lab = request.app.state.lab
    return lab


LabDep = Annotated[Lab, Depends(get_lab)]


async def take_turn(lab: LabDep) -> AsyncIterator[None]:
    """Wait, without a thread, until there is a connection to be had."""
    async with lab.turns:
        yield


def open_session(
    lab: LabDep, _turn: Annotated[None, Depends(take_turn, scope="function")]
) -> Iterator[Session]:
    """One transaction for the request, committed before the answer is sent."""
    with lab.database.transaction() as session:
        yield session


# Without the scope the commit would come after the answer: a client would be told 202 of rows that may
# never be written.
SessionDep = Annotated[Session, Depends(open_session, scope="function")]


async def take_drawing_turn(lab: LabDep) -> AsyncIterator[None]:
    """Wait until few enough others draw."""
    async with lab.drawing_turns:
        yield


# Of a route or a router, it comes before what the route itself depends on.
DRAWING = Depends(take_drawing_turn, scope="function")


async def run_in_turn(lab: Lab, work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Do in the background of a request what takes a transaction of its own."""
    async with lab.turns:
        await run_in_threadpool(work, *args, **kwargs)
