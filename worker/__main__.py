"""Start a worker: ``python -m worker`` takes training jobs off the queue until it is told to stop."""

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
from worker.engines.variants import set_up_workbench
from worker.heartbeat import Caretaker
from worker.jobs import Trainer, TrainerSettings

logger = logging.getLogger("worker")


def main() -> int:
    """Serve until SIGTERM or SIGINT; the job at hand is laid down and resumed at the next start."""
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
        # What may pass is worth starting again for.
        return 1 if isinstance(error, DatabaseUnavailableError) else 2
    return 0 if is_done else 1


def serve(settings: Settings, *, stop: threading.Event) -> bool:
    """Train what is queued on the settings' device until ``stop`` is set; False if it ends before."""
    torch.use_deterministic_algorithms(True)
    device = choose_device(settings.device)
    database = Database(settings.database_url)
    database.upgrade()
    upgrade_queue(database)
    queue = JobQueue(database)
    trainer = Trainer(
        database,
        queue,
        settings=TrainerSettings(
            workbench=set_up_workbench(device, cache_dir=settings.cache_dir),
            data_dir=settings.data_dir,
            hang_timeout_seconds=settings.hang_timeout_seconds,
        ),
        stop=stop,
    )
    with (
        explain_database_errors(),
        claim_slot(database) as worker_id,
        Caretaker(database, queue, worker_id=worker_id, trainer=trainer) as caretaker,
    ):
        logger.info("%s ready on %s", worker_id, trainer.workbench.description)
        serve_jobs(database, trainer.perform, worker_id=worker_id, stop=stop)
    queue.close()
    database.close()
    return not (trainer.is_device_lost or caretaker.is_slot_lost)


if __name__ == "__main__":
    sys.exit(main())
