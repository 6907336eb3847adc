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

from lab.database import Database
from lab.errors import LabError
from lab.job_queue import serve_jobs, upgrade_queue
from lab.logs import configure_logging
from lab.settings import Settings, load_settings
from lab.worker_slots import claim_slot
from worker.jobs import Trainer, choose_device, describe_device

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
        serve(settings, stop=stop)
    except LabError as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def serve(settings: Settings, *, stop: threading.Event) -> None:
    """Train what is queued on the settings' device until ``stop`` is set."""
    torch.use_deterministic_algorithms(True)
    device = choose_device(settings.device)
    database = Database(settings.database_url)
    database.upgrade()
    upgrade_queue(database)
    trainer = Trainer(database, device=device, data_dir=settings.data_dir, stop=stop)
    with claim_slot(database) as worker_id:
        logger.info("%s ready on %s", worker_id, describe_device(device))
        serve_jobs(database, trainer.perform, worker_id=worker_id, stop=stop)
    database.close()


if __name__ == "__main__":
    sys.exit(main())
