"""The durable queue between service and worker; the only module that knows the queue library (DBOS).

A job is the training of the runs that carry its id, by one worker in one go. Its state lives in the queue's
own table, in the same database as everything else, so that a job and its runs are written in one transaction.
"""

import logging
import threading
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions
from sqlalchemy.orm import Session

from lab.database.engine import Database, explain_database_errors

QUEUE_NAME = "training"
WORKFLOW_NAME = "train_runs"
APPLICATION_NAME = "normalization-lab"
# By default the library hashes the source, and jobs of another hash would never run.
APPLICATION_VERSION = "1"
POLLING_INTERVAL_SECONDS = 0.1

WAITING_STATE = "DELAYED"
QUEUED_STATES = ("ENQUEUED", WAITING_STATE)
RUNNING_STATE = "PENDING"

# The library counts from 1 and takes the lowest number first.
_MIDDLE_PRIORITY = 1_000

JOBS = sa.Table(
    "workflow_status",
    sa.MetaData(schema="dbos"),
    sa.Column("workflow_uuid", sa.String, primary_key=True),
    sa.Column("status", sa.String),
    sa.Column("queue_name", sa.String),
    sa.Column("executor_id", sa.String),
)
"""The library's documented system table, to join runs with the state of their job."""


class StopWork(BaseException):
    """Raised by a job to stop unfinished; another worker takes it over.

    Not an Exception: the library records any Exception as the job's failure.
    """


class JobQueue:
    """The queue's client: adds and removes jobs, which ``serve_jobs`` performs."""

    def __init__(self, database: Database) -> None:
        """Connect lazily; ``upgrade_queue`` must have made the tables."""
        self._database = database
        self._client = DBOSClient(
            system_database_engine=database.engine,
            application_name=APPLICATION_NAME,
            lazy=True,
            retry_connection_errors=False,
        )

    def enqueue(
        self,
        session: Session,
        *,
        job_id: str,
        priority: int = 0,
        is_resumed: bool = False,
        delay_seconds: float = 0.0,
    ) -> None:
        """Queue the training of the runs with ``job_id`` in the caller's transaction.

        The highest ``priority`` goes first, then what was begun before, then what was queued first.
        """
        options = EnqueueOptions(
            workflow_name=WORKFLOW_NAME,
            queue_name=QUEUE_NAME,
            workflow_id=job_id,
            app_version=APPLICATION_VERSION,
            priority=_MIDDLE_PRIORITY - 2 * priority - is_resumed,
        )
        if delay_seconds:
            options["delay_seconds"] = delay_seconds
        self._client.enqueue_in_transaction(session, options)

    def withdraw(self, job_ids: Sequence[str]) -> None:
        """Remove jobs that no run carries any more; left alone, each would be taken to find nothing to do.

        A job that a worker has taken is left to it: it ends when the worker looks.
        """
        query = sa.select(JOBS.c.workflow_uuid).where(
            JOBS.c.workflow_uuid.in_(job_ids), JOBS.c.status != RUNNING_STATE
        )
        with self._database.transaction() as session:
            withdrawn = session.scalars(query).all()
        # After the session is closed: two connections held by one thread could wait for each other.
        self.discard(withdrawn)

    def discard(self, job_ids: Sequence[str]) -> None:
        """Remove jobs, even those a worker has taken; it learns so when it ends the job."""
        if job_ids:
            self._client.delete_workflows(list(job_ids))

    def check(self) -> None:
        """Raise if the queue does not answer."""
        self._client.check_connection()

    def close(self) -> None:
        """Let go of the queue; the database stays open."""
        self._client.destroy()


def upgrade_queue(database: Database) -> None:
    """Bring the queue's own tables to the library's version.

    Raises:
        DatabaseUnavailableError: the database cannot be used.
    """
    with explain_database_errors():
        DBOS.migrate(database.url.render_as_string(hide_password=False))


def list_held_jobs(session: Session) -> dict[str, str]:
    """Ids of the jobs that a worker has taken and not finished, with the worker's."""
    query = sa.select(JOBS.c.workflow_uuid, JOBS.c.executor_id).where(
        JOBS.c.queue_name == QUEUE_NAME, JOBS.c.status == RUNNING_STATE
    )
    return {row.workflow_uuid: row.executor_id for row in session.execute(query)}


def serve_jobs(
    database: Database, perform: Callable[[str], None], *, worker_id: str, stop: threading.Event
) -> None:
    """Take jobs off the queue, one at a time, and ``perform`` each by its id, until ``stop`` is set.

    ``perform`` raises ``StopWork`` to leave its job unfinished; after ``stop`` it must do so, and this call
    waits until it has.
    """
    # On a busy machine the library takes a second job before it counts the first: that one waits here.
    one_at_a_time = threading.Lock()

    # No limit by the library: ``lab.runs.attempts`` counts attempts.
    @DBOS.workflow(name=WORKFLOW_NAME, max_recovery_attempts=None)
    def train_runs() -> None:
        with one_at_a_time:
            if stop.is_set():
                raise StopWork
            perform(str(DBOS.workflow_id))

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
        logging.getLogger(__name__).info("Stopping: leaving the current job unfinished.")
        with one_at_a_time:
            pass  # The job has stopped.
    finally:
        DBOS.destroy(destroy_registry=True)
