"""The watchdog: track when the current job last moved, and end the process if it hangs."""

import faulthandler
import time
from collections.abc import Iterator
from contextlib import contextmanager

# Setting the alarm starts a thread, so it is renewed once a second at most.
MAX_REARM_SECONDS = 1.0


class Watchdog:
    """Ends the process when no step is reported for ``timeout_seconds``.

    A hung device can seldom be talked to again, and may hold the interpreter's lock. The alarm therefore
    needs no lock: it writes every thread's traceback to the log and exits. The restarted worker continues
    from the last checkpoint.
    """

    def __init__(self, *, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._rearm_seconds = min(MAX_REARM_SECONDS, timeout_seconds / 4)
        self._moved_at: float | None = None
        self._armed_at = 0.0

    @property
    def idle_seconds(self) -> float | None:
        """Seconds since the current job last moved; None without a job."""
        moved_at = self._moved_at
        return None if moved_at is None else time.monotonic() - moved_at

    @contextmanager
    def watch_job(self) -> Iterator[None]:
        """Watch the block, which reports each step by ``step``."""
        self._armed_at = 0.0
        self.step()
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            self._moved_at = None

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Set no alarm during the block, which has time limits of its own."""
        faulthandler.cancel_dump_traceback_later()
        try:
            yield
        finally:
            self._armed_at = 0.0
            self.step()

    def step(self) -> None:
        """Report that the job has moved."""
        self._moved_at = time.monotonic()
        self.keep_alive()

    def keep_alive(self) -> None:
        """Renew the alarm without a step: the job waits for something other than the device."""
        if time.monotonic() - self._armed_at > self._rearm_seconds:
            faulthandler.dump_traceback_later(self._timeout_seconds, exit=True)
            self._armed_at = time.monotonic()
