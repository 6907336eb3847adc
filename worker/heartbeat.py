"""The heartbeat: report that this worker is alive, and requeue the jobs of dead workers."""

import logging
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from sqlalchemy.exc import DBAPIError

from lab.database.engine import Database
from lab.database.tables import now
from lab.queue.job_queue import JobQueue, list_held_jobs
from lab.queue.worker_slots import list_held_slots
from lab.queue.workers import HEARTBEAT_SECONDS, SignsOfLife, record_heartbeat
from lab.runs.queueing import find_abandoned_jobs, requeue_jobs
from worker.jobs import Trainer

logger = logging.getLogger(__name__)


class Heartbeat:
    """A thread that beats for as long as the ``with`` block runs."""

    def __init__(self, database: Database, queue: JobQueue, *, worker_id: str, trainer: Trainer) -> None:
        self._database = database
        self._queue = queue
        self._worker_id = worker_id
        self._trainer = trainer
        self._started_at = now()
        self._unserved_jobs: set[str] = set()
        self.is_slot_lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Requeue the jobs of a dead predecessor with this worker's id, then start to beat."""
        self._requeue(self._list_own_jobs())
        self.beat()
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop, and requeue the jobs that this worker leaves unfinished."""
        self._stop.set()
        self._thread.join()
        with suppress(DBAPIError):
            self._requeue(self._list_own_jobs())

    def beat(self) -> None:
        """Record that this worker is alive, and requeue jobs that were taken but are not being trained."""
        with self._database.transaction() as session:
            signs = SignsOfLife(
                device=self._trainer.backend.description,
                started_at=self._started_at,
                idle_seconds=self._trainer.watchdog.idle_seconds,
                bundle_size=self._trainer.backend.bundle_size,
            )
            record_heartbeat(session, self._worker_id, signs=signs)
        with self._database.transaction() as session:
            if self._worker_id not in list_held_slots(session):
                self._give_up_slot()
                return
            abandoned = find_abandoned_jobs(session)
        # A job just taken or just finished looks unserved for a moment, but not at two beats in a row.
        unserved_jobs = set(self._list_own_jobs()) - {self._trainer.job_id}
        abandoned += unserved_jobs & self._unserved_jobs
        self._unserved_jobs = unserved_jobs
        self._requeue(abandoned)

    def _give_up_slot(self) -> None:
        # The server that kept the lock was restarted, or its file removed: another may take this worker's id.
        logger.error("%s has lost its slot; it ends, to be started again.", self._worker_id)
        self.is_slot_lost = True
        self._trainer.stop.set()

    def _list_own_jobs(self) -> list[str]:
        with self._database.transaction() as session:
            held = list_held_jobs(session)
        return [job_id for job_id, worker_id in held.items() if worker_id == self._worker_id]

    def _requeue(self, job_ids: list[str]) -> None:
        if job_ids:
            with self._database.transaction() as session:
                requeue_jobs(session, self._queue, job_ids)
            self._queue.discard(job_ids)

    def _run(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                self.beat()
            except DBAPIError as error:
                logger.warning("The heartbeat cannot be recorded: %s", error.orig)
            except Exception:
                # Whatever it is: a worker whose heartbeat stops would lose its runs.
                logger.exception("A heartbeat failed; the next one follows")
