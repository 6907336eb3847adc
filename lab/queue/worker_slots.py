"""Worker slots: each worker process holds the lowest number that no living process holds.

A job belongs to the worker that took it. A process that takes a dead one's number takes its jobs over.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.orm import Session

from lab.database.engine import Database

MAX_WORKERS = 1_000
# Longer than ``list_held_slots`` holds a free slot to find that it is free.
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


def list_held_slots(session: Session) -> set[str]:
    """Ids of the workers whose process is alive, even if it hangs."""
    engine = session.get_bind().engine
    if engine.dialect.name == "sqlite":
        return {_read_name(path) for path in _find_lock_files(engine.url) if _is_held(path)}
    query = sa.text(
        "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = :lock_class AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return {_name(number) for number in session.scalars(query, {"lock_class": _POSTGRESQL_LOCK_CLASS})}


def _name(number: int) -> str:
    return f"worker-{number}"


def _lock_path(url: sa.URL, name: str) -> Path:
    return Path(f"{url.database}.{name}.lock")


def _find_lock_files(url: sa.URL) -> Iterator[Path]:
    database_path = Path(str(url.database))
    prefix = f"{database_path.name}.worker-"
    return (path for path in database_path.parent.iterdir() if path.name.startswith(prefix))


def _read_name(path: Path) -> str:
    return path.name.rsplit(".", 2)[1]


def _is_held(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            # Shared, so that two readers do not mistake each other for the worker.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _claim_file(database: Database) -> Iterator[int]:
    for number in range(1, MAX_WORKERS + 1):
        try:
            held = FileLock(_lock_path(database.url, _name(number))).acquire(timeout=CLAIM_TIMEOUT_SECONDS)
        except Timeout:
            continue
        with held:
            yield number
        return
    raise AssertionError(f"{MAX_WORKERS} workers on one SQLite file")


@contextmanager
def _claim_advisory_lock(database: Database) -> Iterator[int]:
    # Outside any transaction, so the connection is not idle in one for the worker's whole life.
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for number in range(1, MAX_WORKERS + 1):
            lock = (_POSTGRESQL_LOCK_CLASS, number)
            if connection.scalar(sa.select(sa.func.pg_try_advisory_lock(*lock))):
                try:
                    yield number
                finally:
                    # The lock is the server session's, which goes back to the pool and lives on.
                    with suppress(sa.exc.DBAPIError):
                        connection.execute(sa.select(sa.func.pg_advisory_unlock(*lock)))
                return
    raise AssertionError(f"{MAX_WORKERS} workers on one database")
