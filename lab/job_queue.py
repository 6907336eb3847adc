"""The durable queue between service and worker; the only module that knows the queue library (DBOS).

A job is the training of the runs that carry its id, by one worker in one go. Its state lives in the queue's
own table, in the same database as everything else, so that a job and its runs are written in one transaction.
"""

import logging
import threading
from collections.abc import Callable

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions
from sqlalchemy.orm import Session

from lab.database import Database

QUEUE_NAME = "training"
WORKFLOW_NAME = "train_runs"
APPLICATION_NAME = "normalization-lab"
# Left to itself the library hashes the source, and jobs of another hash would never run.
APPLICATION_VERSION = "1"
POLLING_INTERVAL_SECONDS = 0.1

QUEUED_STATES = ("ENQUEUED", "DELAYED")
RUNNING_STATE = "PENDING"

JOBS = sa.Table(
    "workflow_status",
    sa.MetaData(schema="dbos"),
    sa.Column("workflow_uuid", sa.String, primary_key=True),
    sa.Column("status", sa.String),
)
"""The library's documented system table, to join runs with the state of their job."""


class StopWork(BaseException):
    """Raised by a job to lay it down unfinished: it stays this worker's and is resumed at its next start.

    Not an Exception: the library records any Exception as the job's failure.
    """


class JobQueue:
    """The service's side: put jobs in."""

    def __init__(self, database: Database) -> None:
        """Connect lazily; ``upgrade_queue`` must have made the tables."""
        self._client = DBOSClient(
            system_database_engine=database.engine,
            application_name=APPLICATION_NAME,
            lazy=True,
            retry_connection_errors=False,
        )

    def enqueue(self, session: Session, *, job_id: str) -> None:
        """Queue the training of the runs with ``job_id`` in the caller's transaction."""
        options = EnqueueOptions(
            workflow_name=WORKFLOW_NAME,
            queue_name=QUEUE_NAME,
            workflow_id=job_id,
            app_version=APPLICATION_VERSION,
        )
        self._client.enqueue_in_transaction(session, options)

    def check(self) -> None:
        """Raise if the queue does not answer."""
        self._client.check_connection()

    def close(self) -> None:
        """Let go of the queue; the database stays open."""
        self._client.destroy()


def upgrade_queue(database: Database) -> None:
    """Bring the queue's own tables to the library's version."""
    DBOS.migrate(database.url.render_as_string(hide_password=False))


def serve_jobs(
    database: Database, perform: Callable[[str], None], *, worker_id: str, stop: threading.Event
) -> None:
    """Take jobs off the queue, one at a time, and ``perform`` each by its id, until ``stop`` is set.

    A job that this worker had when it died is resumed first. ``perform`` raises ``StopWork`` to leave its
    job unfinished; after ``stop`` it must do so, and this call waits until it has.
    """
    is_idle = threading.Event()
    is_idle.set()

    @DBOS.workflow(name=WORKFLOW_NAME)
    def train_runs() -> None:
        if stop.is_set():
            raise StopWork
        is_idle.clear()
        try:
            perform(str(DBOS.workflow_id))
        finally:
            is_idle.set()

    config = DBOSConfig(
        name=APPLICATION_NAME,
        system_database_engine=database.engine,
        system_database_url=database.url.render_as_string(hide_password=False),
        application_version=APPLICATION_VERSION,
        executor_id=worker_id,
        run_migrations=False,
        log_level="WARNING",
    )
    DBOS(config=config)
    DBOS.launch()
    try:
        DBOS.register_queue(QUEUE_NAME, worker_concurrency=1, polling_interval_sec=POLLING_INTERVAL_SECONDS)
        stop.wait()
        logging.getLogger(__name__).info("Stopping: laying down the job at hand.")
        is_idle.wait()
    finally:
        DBOS.destroy(destroy_registry=True)
