"""Start a worker: ``python -m worker`` trains queued jobs until it is told to stop."""

import logging
import os
import signal
import sys
import threading
from types import FrameType

# Bit-for-bit repeatable matrix products on CUDA need this before CUDA starts.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch

from lab.database.engine import Database, explain_database_errors
from lab.errors import DatabaseUnavailableError, LabError
from lab.logs import configure_logging
from lab.queue.job_queue import JobQueue, serve_jobs, upgrade_queue
from lab.queue.worker_slots import claim_slot
from lab.settings import Settings, load_settings
from worker.devices import choose_device
from worker.engines.variants import set_up_backend
from worker.heartbeat import Heartbeat
from worker.jobs import Trainer

logger = logging.getLogger("worker")


def main() -> int:
    """Work until SIGTERM or SIGINT; the current job stops between two steps and is requeued."""
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        is_done = serve(settings, stop=stop)
    except LabError as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201
        # Status 1 tells the launcher that a restart may help.
        return 1 if isinstance(error, DatabaseUnavailableError) else 2
    return 0 if is_done else 1


def serve(settings: Settings, *, stop: threading.Event) -> bool:
    """Train queued jobs until ``stop`` is set; return False if the worker has to end before."""
    torch.use_deterministic_algorithms(True)
    device = choose_device(settings.device)
    database = Database(settings.database_url)
    database.upgrade()
    upgrade_queue(database)
    queue = JobQueue(database)
    trainer = Trainer(
        database,
        queue,
        backend=set_up_backend(device, cache_dir=settings.cache_dir),
        data_dir=settings.data_dir,
        stop=stop,
        hang_timeout_seconds=settings.hang_timeout_seconds,
    )
    with (
        explain_database_errors(),
        claim_slot(database) as worker_id,
        Heartbeat(database, queue, worker_id=worker_id, trainer=trainer) as heartbeat,
    ):
        logger.info("%s ready on %s", worker_id, trainer.backend.description)
        serve_jobs(database, trainer.perform, worker_id=worker_id, stop=stop)
    queue.close()
    database.close()
    return not (trainer.is_device_lost or heartbeat.is_slot_lost)


if __name__ == "__main__":
    sys.exit(main())
