"""What routes are given: the lab's parts, made once by ``create_app``."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from lab.database import Database
from lab.job_queue import JobQueue
from lab.settings import Settings
from service.experiment_feed import ExperimentFeed
from service.image_store import ImageStore
from service.predictor import Predictor


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


def get_lab(request: Request) -> Lab:
    """The app's parts."""
    lab: Lab = request.app.state.lab
    return lab


LabDep = Annotated[Lab, Depends(get_lab)]


def open_session(lab: LabDep) -> Iterator[Session]:
    """One transaction for the request, committed before the answer is sent."""
    with lab.database.transaction() as session:
        yield session


# Without the scope the commit would come after the answer: a client would be told 202 of rows that may
# never be written.
SessionDep = Annotated[Session, Depends(open_session, scope="function")]
