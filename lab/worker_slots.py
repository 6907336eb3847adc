"""Which worker a process is: the lowest number that no living process holds.

A job belongs to the worker that took it. A process that takes a dead one's number takes its jobs over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from lab.database import Database

MAX_WORKERS = 1_000
# Longer than ``list_workers`` holds a free slot to find that it is free.
CLAIM_TIMEOUT_SECONDS = 0.5
_POSTGRESQL_LOCK_CLASS = 64_772


@contextmanager
def claim_slot(database: Database) -> Iterator[str]:
    """Hold the lowest free worker id, "worker-1" first, for as long as the block runs.

    The operating system (SQLite) or the server (PostgreSQL) lets go of it when the process dies.
    """
    is_sqlite = database.engine.dialect.name == "sqlite"
    with (_claim_file if is_sqlite else _claim_advisory_lock)(database) as number:
        yield _name(number)


def list_workers(database: Database) -> list[str]:
    """Ids of the workers that are alive."""
    if database.engine.dialect.name == "sqlite":
        return [
            _name(number) for number in range(1, MAX_WORKERS + 1) if _is_held(_lock_path(database, number))
        ]
    query = sa.text(
        "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = :lock_class AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY objid"
    )
    with database.engine.connect() as connection:
        return [_name(number) for number in connection.scalars(query, {"lock_class": _POSTGRESQL_LOCK_CLASS})]


def _name(number: int) -> str:
    return f"worker-{number}"


def _lock_path(database: Database, number: int) -> Path:
    return Path(f"{database.url.database}.{_name(number)}.lock")


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        FileLock(path).acquire(timeout=0).lock.release()
    except Timeout:
        return True
    return False


@contextmanager
def _claim_file(database: Database) -> Iterator[int]:
    for number in range(1, MAX_WORKERS + 1):
        try:
            held = FileLock(_lock_path(database, number)).acquire(timeout=CLAIM_TIMEOUT_SECONDS)
        except Timeout:
            continue
        with held:
            yield number
        return
    raise AssertionError(f"{MAX_WORKERS} workers on one SQLite file")


@contextmanager
def _claim_advisory_lock(database: Database) -> Iterator[int]:
    # Outside any transaction, so that the connection is not idle in one for the worker's whole life.
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for number in range(1, MAX_WORKERS + 1):
            lock = (_POSTGRESQL_LOCK_CLASS, number)
            if connection.scalar(sa.select(sa.func.pg_try_advisory_lock(*lock))):
                try:
                    yield number
                finally:
                    # The lock is the server session's, which goes back to the pool and lives on.
                    connection.execute(sa.select(sa.func.pg_advisory_unlock(*lock)))
                return
    raise AssertionError(f"{MAX_WORKERS} workers on one database")
