"""Another program that locks the database now and then, so that everybody waits."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Less than others wait for the lock (lab.database.BUSY_TIMEOUT_MILLISECONDS).
LOCK_TIMEOUT_SECONDS = 10.0
# Those who have waited long ask for the lock ten times a second, newcomers much more often.
LEAD_SECONDS = 0.03


class Backup:
    """Holds SQLite's one write lock."""

    def __init__(self, database_path: Path) -> None:
        self._database_path = database_path

    @contextmanager
    def let_pass(self, seconds: float) -> Iterator[None]:
        """Hold the lock for ``seconds``, then let go just after the block has begun.

        What the block writes comes before nearly all that others have had in hand meanwhile.
        """
        connection = sqlite3.connect(
            self._database_path, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("BEGIN IMMEDIATE")
        threading.Event().wait(seconds)
        end = threading.Timer(LEAD_SECONDS, connection.close)
        end.start()
        try:
            yield
        finally:
            end.join()
