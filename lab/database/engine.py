"""The one database: its engine, its transactions and its schema."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, sessionmaker

from lab.errors import DatabaseUnavailableError, DatabaseVersionError, SettingsError

MIGRATIONS_DIR = Path(__file__).parents[2] / "migrations"
BUSY_TIMEOUT_MILLISECONDS = 30_000
_POSTGRESQL_MIGRATION_LOCK = 7_940


DATABASE_ADVICE = {
    "full": "free some space on its disk",
    "no space": "free some space on its disk",
    "readonly": "make its file and folder writable for this user",
    "read-only": "make its file and folder writable for this user",
    "permission denied": "make its file and folder writable for this user",
    "unable to open": "make its file and folder writable for this user",
    "no such file": "set LAB_DATABASE_URL to a file in a folder that can be made",
    "locked": "another program holds it; try again when that is done",
    "malformed": "the file is damaged; restore a backup, or set LAB_DATABASE_URL to another",
    "not a database": "set LAB_DATABASE_URL to a SQLite file of this software, or to one that does not exist",
}
"""Words of a driver's error → what to do about it."""


class seconds_now(sa.sql.functions.GenericFunction[float]):  # noqa: N801 (an SQL function)
    """Seconds since 1970 by the database's clock, the one clock that all its clients share."""

    type = sa.Float()
    inherit_cache = True


@compiles(seconds_now, "sqlite")
def _compile_sqlite(*_args: Any, **_options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(seconds_now, "postgresql")
def _compile_postgresql(*_args: Any, **_options: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::float8"


class Database:
    """An engine on the database and the transactions on it; safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Connect lazily; a SQLite file's folder is made.

        Raises:
            SettingsError: the URL is neither SQLite nor PostgreSQL.
            DatabaseUnavailableError: the folder cannot be made.
        """
        self.url = _read_url(url)
        self.engine = _create_engine(self.url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self._sessions.begin() as session:
            yield session

    def upgrade(self) -> None:
        """Bring the schema to this version's; processes that start together take turns.

        Raises:
            DatabaseVersionError: the database was written by a newer version.
            DatabaseUnavailableError: it cannot be used, with the reason and what to do.
        """
        # Imported here, because the import takes longer than a health check.
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        with explain_database_errors(), self._lock_schema(), self.engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS_DIR))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise DatabaseVersionError(
                    f"The database {self.url.render_as_string()} was written by a newer version of this "
                    f"software ({error}). Use that version, or set LAB_DATABASE_URL to another database."
                ) from error

    def reclaim_space(self) -> None:
        """Return the pages of deleted rows to the disk; PostgreSQL does so by itself."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                # A script is run to its end; a single statement would free one page.
                cast(sqlite3.Connection, connection.connection.driver_connection).executescript(
                    "PRAGMA incremental_vacuum"
                )

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    @contextmanager
    def _lock_schema(self) -> Iterator[None]:
        if self.engine.dialect.name == "sqlite":
            with FileLock(f"{self.url.database}.lock"):
                yield
            return
        with self.engine.connect() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_lock(_POSTGRESQL_MIGRATION_LOCK)))
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_POSTGRESQL_MIGRATION_LOCK)))


@contextmanager
def explain_database_errors() -> Iterator[None]:
    """Turn the block's database errors into one that says what is wrong and what would help.

    Raises:
        DatabaseUnavailableError: the disk is full, the file read-only, the server gone, and so on.
    """
    try:
        yield
    except (sa.exc.DBAPIError, OSError) as error:
        raise DatabaseUnavailableError(explain_database_error(error)) from error


def explain_database_error(error: sa.exc.DBAPIError | OSError) -> str:
    """Explain a database error, and say what would help."""
    if isinstance(error, sa.exc.DBAPIError):
        reason = words = str(error.orig).strip()
    else:
        # The path is shown but not searched: it may contain any word.
        reason, words = str(error), str(error.strerror)
    advice = next((text for word, text in DATABASE_ADVICE.items() if word in words.lower()), "try again")
    return f"The database cannot be used ({reason}): {advice}."


def _read_url(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise SettingsError(
            "LAB_DATABASE_URL is not a database URL; write sqlite:///var/lab.db or "
            "postgresql://user:password@host/name."
        ) from error
    is_file = bool(url.database) and not str(url.database).startswith((":memory:", "file:"))
    if url.drivername in ("sqlite", "sqlite+pysqlite") and is_file:
        return url
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    raise SettingsError(
        f"LAB_DATABASE_URL starts with {url.drivername}://; it must be sqlite:/// with a file, shared by the "
        "service and the worker, or postgresql://."
    )


def _create_engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url, pool_pre_ping=True)
    with explain_database_errors():
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    # The queue library's tables have their own schema on PostgreSQL; SQLite has no schemas.
    engine = sa.create_engine(url, execution_options={"schema_translate_map": {"dbos": None}})

    @sa.event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        # A write transaction takes the lock when it begins: two that read first and write later would
        # otherwise fail with "database is locked" at once, whatever the timeout.
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MILLISECONDS}")
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            # Takes effect only before the first table; later it would merely wait for the write lock.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine
