"""Wait for what another process does, no longer than it takes."""

import time
from collections.abc import Callable


def wait_until(is_done: Callable[[], bool], *, timeout_seconds: float, what: str) -> None:
    """Ask again and again until ``is_done``; fail the test when it takes too long."""
    deadline = time.monotonic() + timeout_seconds
    while not is_done():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_seconds:.0f} s"
        time.sleep(0.05)
