"""Service and worker as real processes, for tests that must see what a user sees."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import wait_until
from tests.warm import WarmProcess

START_TIMEOUT_SECONDS = 120.0
TRAIN_TIMEOUT_SECONDS = 240.0


class Processes:
    """Service and workers on one database file, each known by its module unless it is given a name."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.folder = folder
        self.environment = {
            **os.environ,
            "LAB_DATABASE_URL": f"sqlite:///{folder}/lab.db",
            "LAB_DATA_DIR": str(folder / "data"),
            "LAB_DEFAULT_DATASET": "digits",
            "LAB_PORT": str(port),
            "OMP_NUM_THREADS": "1",
        }
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        self._running: dict[str, WarmProcess] = {}

    def start(self, module: str, *, name: str | None = None) -> None:
        """Start ``python -m module``; it logs into the file ``<name>.log``."""
        name = name or module
        self._running[name] = WarmProcess(
            module, environment=self.environment, log_path=self.folder / f"{name}.log"
        )

    def send(self, name: str, sent: signal.Signals) -> int:
        """Send a signal that ends the process, and give its exit status."""
        process = self._running[name]
        process.send_signal(sent)
        status = process.wait(60)
        del self._running[name]
        return status

    def kill(self, name: str) -> None:
        self.send(name, signal.SIGKILL)

    def nudge(self, name: str, sent: signal.Signals) -> None:
        """Send a signal that the process lives on with."""
        self._running[name].send_signal(sent)

    def is_alive(self, name: str) -> bool:
        return self._running[name].poll() is None

    def forget(self, name: str) -> int:
        """The exit status of a process that has ended by itself."""
        return self._running.pop(name).wait(0)

    def wait_for_service(self) -> None:
        def is_ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return self.client.get("/readyz").is_success
            return False

        wait_until(is_ready, timeout_seconds=START_TIMEOUT_SECONDS, what="the service answers")

    def wait_for_run(self, run_id: int, *, epoch: int) -> dict[str, Any]:
        """Wait until the run has recorded ``epoch``, and give it."""

        def has_recorded() -> bool:
            return bool(self.client.get(f"/runs/{run_id}").json()["epoch"] >= epoch)

        wait_until(has_recorded, timeout_seconds=TRAIN_TIMEOUT_SECONDS, what=f"run {run_id} at epoch {epoch}")
        answer: dict[str, Any] = self.client.get(f"/runs/{run_id}").json()
        return answer

    def stop(self) -> None:
        for name in list(self._running):
            self.kill(name)
        self.client.close()


@contextmanager
def run_lab(folder: Path) -> Iterator[Processes]:
    """Service and worker started at once, as ``make run`` does, on a database in ``folder``."""
    processes = Processes(folder)
    processes.start("service")
    processes.start("worker")
    try:
        processes.wait_for_service()
        yield processes
    finally:
        processes.stop()
