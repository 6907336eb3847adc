"""A worker process that tells which jobs it performs."""

import contextlib
import faulthandler
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from dbos import DBOS

from lab.database.engine import Database
from lab.database.tables import now
from lab.queue.job_queue import JobQueue, StopWork, list_held_jobs, serve_jobs
from lab.queue.worker_slots import claim_slot
from lab.queue.workers import SignsOfLife, record_heartbeat
from lab.runs.queueing import requeue_jobs


def work(database_url: str, behaviour: str, channel: Connection) -> None:
    """Serve the queue from the first message on ``channel`` to the second; send a message for each job."""
    # A test that waits for a message is let go if none ever comes.
    faulthandler.dump_traceback_later(60, exit=True)
    database = Database(database_url)
    if behaviour == "meet":
        take_two_at_once()
    stop = threading.Event()
    channel.recv()

    def stop_at_next_message() -> None:
        channel.recv()
        stop.set()

    threading.Thread(target=stop_at_next_message, daemon=True).start()
    with claim_slot(database) as worker_id:
        take_over(database, worker_id)

        def tell(job_id: str) -> None:
            channel.send((worker_id, job_id))

        serve_jobs(database, make_perform(behaviour, tell, stop), worker_id=worker_id, stop=stop)


def take_two_at_once() -> None:
    """Have the library take a second job beside the first, as when it counts that one late."""
    register_queue = DBOS.register_queue

    def register(name: str, **options: Any) -> None:
        register_queue(name, **{**options, "worker_concurrency": 2})

    DBOS.register_queue = register  # type: ignore[method-assign, assignment]


def take_over(database: Database, worker_id: str) -> None:
    """Tell that the worker lives, and queue again what a dead one held under its id."""
    queue = JobQueue(database)
    with database.transaction() as session:
        signs = SignsOfLife(device="cpu", started_at=now(), idle_seconds=None, bundle_size=1)
        record_heartbeat(session, worker_id, signs=signs)
        left = [job_id for job_id, holder in list_held_jobs(session).items() if holder == worker_id]
        requeue_jobs(session, queue, left)
    queue.discard(left)
    queue.close()


def make_perform(behaviour: str, tell: Callable[[str], None], stop: threading.Event) -> Callable[[str], None]:
    """What to do with a job once it is told: finish it, fail the first, hold it until told to stop, or meet
    another at work.
    """
    told: list[str] = []
    two = threading.Barrier(2)

    def perform(job_id: str) -> None:
        tell(job_id)
        told.append(job_id)
        if behaviour == "fail first" and len(told) == 1:
            raise RuntimeError("this job cannot be done")
        if behaviour == "hold":
            stop.wait()
            raise StopWork
        if behaviour == "meet":
            with contextlib.suppress(threading.BrokenBarrierError):
                two.wait(timeout=2)
                tell("two at once")

    return perform
