"""Dependencies of routes: the process-wide resources, and one transaction for each request."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, ParamSpec

from anyio import CapacityLimiter
from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from lab.database.engine import Database
from lab.queue.job_queue import JobQueue
from lab.runs.records import ExperimentRecord, RunRecord, read_experiment, read_run
from lab.settings import Settings

P = ParamSpec("P")

# Fewer than the database's pooled connections and the server's threads. A request holds its connection while
# it waits for a thread to write its answer: if all threads waited for connections, none would continue.
MAX_TRANSACTIONS = 10
# Drawing takes seconds and one core at a time; the other transactions are left for quick answers.
MAX_DRAWINGS = 3


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Process-wide resources, shared by all requests."""

    settings: Settings
    database: Database
    queue: JobQueue
    is_stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the process is told to stop, to end open streams."""
    turns: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(MAX_TRANSACTIONS))
    """Held by each request, and by its background work, during a transaction."""
    drawing_turns: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(MAX_DRAWINGS))
    """Held by each request for a figure or a report, before its turn."""


def get_resources(request: Request) -> Resources:
    """Get the app's resources."""
    resources: Resources = request.app.state.resources
    return resources


ResourcesDep = Annotated[Resources, Depends(get_resources)]


async def take_turn(resources: ResourcesDep) -> AsyncIterator[None]:
    """Wait, without a thread, for a free database connection."""
    async with resources.turns:
        yield


def open_session(
    resources: ResourcesDep, _turn: Annotated[None, Depends(take_turn, scope="function")]
) -> Iterator[Session]:
    """One transaction for the request, committed before the answer is sent."""
    with resources.database.transaction() as session:
        yield session


# Without the scope, the commit would follow the answer: a client could receive 202 for rows that are never
# written.
SessionDep = Annotated[Session, Depends(open_session, scope="function")]


async def take_drawing_turn(resources: ResourcesDep) -> AsyncIterator[None]:
    """Wait for a turn to draw."""
    async with resources.drawing_turns:
        yield


# As a dependency of a route or router it is resolved before the route's own dependencies.
DRAWING = Depends(take_drawing_turn, scope="function")


async def run_in_turn(
    resources: Resources, work: Callable[P, None], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Run background work of a request that needs a transaction of its own."""
    async with resources.turns:
        await run_in_threadpool(work, *args, **kwargs)


# The range of the database's integers.
RowId = Annotated[int, Field(ge=1, lt=2**31)]


class StrictModel(BaseModel):
    """A request body; a field it does not know is an error, since it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid")


def _read_experiment(experiment_id: RowId, session: SessionDep) -> ExperimentRecord:
    return read_experiment(session, experiment_id)


def _read_run(run_id: RowId, session: SessionDep) -> RunRecord:
    return read_run(session, run_id)


ExperimentDep = Annotated[ExperimentRecord, Depends(_read_experiment)]
"""The experiment named in the path; 404 if there is none."""

RunDep = Annotated[RunRecord, Depends(_read_run)]
"""The run named in the path; 404 if there is none."""
