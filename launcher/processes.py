"""The service and the worker as child processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

STOP_TIMEOUT_SECONDS = 10.0
RESTART_PAUSE_SECONDS = 1.0
REFUSED_TO_START = 2
"""Exit status of a process that cannot run with its settings; starting it again would not help."""


class ProcessEndedError(Exception):
    """A child process ended unexpectedly; the message is for the user."""


class ChildProcess:
    """One ``python -m <module>``, its output in a log file."""

    def __init__(self, module: str, *, log_path: Path, environment: dict[str, str]) -> None:
        self._module = module
        self._log_path = log_path
        self._environment = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        self._process = self._start()

    def is_running(self) -> bool:
        """True if the process is alive."""
        return self._process.poll() is None

    def restart(self) -> None:
        """Start the process again after it died.

        Raises:
            ProcessEndedError: it refused to run with its settings.
        """
        if self._process.returncode == REFUSED_TO_START:
            raise ProcessEndedError(self.describe_end())
        time.sleep(RESTART_PAUSE_SECONDS)
        self._process = self._start()

    def stop(self) -> None:
        """Ask the process to end, and kill it if it does not."""
        if self.is_running():
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def describe_end(self) -> str:
        """Describe how the process ended, with the last lines of its log."""
        last_lines = self._log_path.read_text(errors="replace").strip().splitlines()[-5:]
        return "\n".join(
            [
                f"The {self._module} ended (exit status {self._process.returncode}). "
                f"The last lines of {self._log_path}:",
                *last_lines,
            ]
        )

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", self._module],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )


class LabProcesses:
    """Service and worker, started together and stopped together."""

    def __init__(self, *, log_dir: Path) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        study = {"LAB_SUBMIT_STUDY": "true"}
        self._service = ChildProcess("service", log_path=log_dir / "service.log", environment=study)
        self._worker = ChildProcess("worker", log_path=log_dir / "worker.log", environment={})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._worker.stop()
        self._service.stop()

    def keep_running(self) -> None:
        """Restart a dead worker; its run continues from the last checkpoint.

        Raises:
            ProcessEndedError: the service ended, or the worker refuses to start.
        """
        if not self._service.is_running():
            raise ProcessEndedError(self._service.describe_end())
        if not self._worker.is_running():
            self._worker.restart()
