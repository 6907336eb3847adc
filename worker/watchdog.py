"""Knows when the job at hand last moved, and ends the process when it has not for too long."""

import faulthandler
import time
from collections.abc import Iterator
from contextlib import contextmanager

# Setting the alarm anew starts a thread; once a second is often enough.
MAX_REARM_SECONDS = 1.0


class HangWatch:
    """Told of every step; an operation that hangs for ``timeout_seconds`` costs the process its life.

    A device that hangs can seldom be talked to again, and may hold the interpreter's lock while it does. So
    the alarm is one that needs no lock: it writes every thread's traceback to the log and exits. Whoever
    restarts the worker has it go on from the last checkpoint.
    """

    def __init__(self, *, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._rearm_seconds = min(MAX_REARM_SECONDS, timeout_seconds / 4)
        self._moved_at: float | None = None
        self._armed_at = 0.0

    @property
    def idle_seconds(self) -> float | None:
        """How long the job at hand has not moved; None without one."""
        moved_at = self._moved_at
        return None if moved_at is None else time.monotonic() - moved_at

    @contextmanager
    def watch_job(self) -> Iterator[None]:
        """Watch over the block, which tells of each step by ``step``."""
        self._armed_at = 0.0
        self.step()
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            self._moved_at = None

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Let the block take as long as it takes: it has limits of its own."""
        faulthandler.cancel_dump_traceback_later()
        try:
            yield
        finally:
            self._armed_at = 0.0
            self.step()

    def step(self) -> None:
        """The job has moved."""
        self._moved_at = time.monotonic()
        self.keep_alive()

    def keep_alive(self) -> None:
        """The job waits for something else than the device, say for a database that is lost."""
        if time.monotonic() - self._armed_at > self._rearm_seconds:
            faulthandler.dump_traceback_later(self._timeout_seconds, exit=True)
            self._armed_at = time.monotonic()
