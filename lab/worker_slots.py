"""Which worker a process is: the lowest number that no living process holds.

A job belongs to the worker that took it. A process that takes a dead one's number takes its jobs over.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from filelock import FileLock, Timeout

from lab.database import Database

MAX_WORKERS = 1_000
_POSTGRESQL_LOCK_CLASS = 64_772


@contextmanager
def claim_slot(database: Database) -> Iterator[str]:
    """Hold the lowest free worker id, "worker-1" first, for as long as the block runs.

    The operating system (SQLite) or the server (PostgreSQL) lets go of it when the process dies.
    """
    claim = _claim_file if database.engine.dialect.name == "sqlite" else _claim_advisory_lock
    with claim(database) as number:
        yield f"worker-{number}"


@contextmanager
def _claim_file(database: Database) -> Iterator[int]:
    for number in range(1, MAX_WORKERS + 1):
        try:
            held = FileLock(f"{database.url.database}.worker-{number}.lock").acquire(timeout=0)
        except Timeout:
            continue
        with held:
            yield number
        return
    raise AssertionError(f"{MAX_WORKERS} workers on one SQLite file")


@contextmanager
def _claim_advisory_lock(database: Database) -> Iterator[int]:
    with database.engine.connect() as connection:
        for number in range(1, MAX_WORKERS + 1):
            lock = (_POSTGRESQL_LOCK_CLASS, number)
            if connection.scalar(sa.select(sa.func.pg_try_advisory_lock(*lock))):
                connection.commit()
                yield number
                return
    raise AssertionError(f"{MAX_WORKERS} workers on one database")
