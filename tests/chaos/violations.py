"""Violated promises."""

import threading
import time
from datetime import datetime


class Violations:
    """A thread-safe list; the same sentence counts once."""

    def __init__(self) -> None:
        self._found: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, sentence: str) -> None:
        """Note that a promise was not kept."""
        with self._lock:
            self._found.setdefault(sentence, time.time())

    def list(self) -> list[str]:
        """Each with the time when it was first seen, the earliest first."""
        with self._lock:
            found = sorted(self._found.items(), key=lambda item: item[1])
        return [f"{datetime.fromtimestamp(at):%H:%M:%S} {sentence}" for sentence, at in found]  # noqa: DTZ006
