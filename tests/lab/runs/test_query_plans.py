"""What is read for a page, or by every worker all the time, is found by indexes however much there is."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.filled_database import NUM_EPOCHS, NUM_RUNS, fill_database
from lab.database.engine import Database
from lab.queue.job_queue import list_held_jobs
from lab.queue.worker_slots import claim_slot
from lab.runs.experiment_list import ListFilter, list_experiments
from lab.runs.queueing import find_abandoned_jobs
from lab.runs.records import read_experiment, read_metrics, read_run
from lab.runs.status import STATUSES
from tests.lab.runs.situations import beat

NUM_EXPERIMENTS = 420
# As many as are needed for a page of each kind to be as full as among all of them.
NUM_EXPERIMENTS_IN_SMALL = 60
PAGE = 20
# A walk along a partial index, of unfinished runs say, is fine while it holds no more rows than this.
MAX_WALKED = 500
# What may be gone through: the workers, an experiment per row of a page in its order, and what a statement
# has made for itself of constants or of rows that it found otherwise.
SMALL = ("workers", "experiments", "CONSTANT", "(subquery-", "anon_")


def list_only(only: ListFilter) -> Callable[[Session, int], object]:
    return lambda session, _: list_experiments(session, limit=PAGE, only=only)


# What is read, given the newest experiment's id.
READS: dict[str, Callable[[Session, int], object]] = {
    "list": lambda session, _: list_experiments(session, limit=PAGE),
    "second page": lambda session, newest: list_experiments(session, limit=PAGE, before_id=newest - PAGE),
    "data set": list_only(ListFilter(dataset="mnist")),
    "data set of none": list_only(ListFilter(dataset="kmnist")),
    "search": list_only(ListFilter(search="X")),
    "search for none": list_only(ListFilter(search="no such name")),
    **{status: list_only(ListFilter(status=status)) for status in STATUSES},
    "experiment": read_experiment,
    "run": read_run,
    "metrics": lambda session, _: read_metrics(session, range(1, NUM_RUNS + 1)),
    "held jobs": lambda session, _: list_held_jobs(session),
    "abandoned jobs": lambda session, _: find_abandoned_jobs(session),
}
# These go past every experiment, because none or few are what is asked for.
GROWING = ("data set of none", "search for none", "failed")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """About ten thousand runs and a quarter of a million recorded epochs; to be read only."""
    database = fill_database(tmp_path_factory.mktemp("large"), num_experiments=NUM_EXPERIMENTS)
    yield database
    database.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The same with fewer finished experiments."""
    database = fill_database(tmp_path_factory.mktemp("small"), num_experiments=NUM_EXPERIMENTS_IN_SMALL)
    yield database
    database.close()


@contextmanager
def record_statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """What the block has the database execute: statements with their parameters."""
    statements: list[tuple[str, Any]] = []

    def record(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_others: Any) -> None:
        statements.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", record)


def explain(database: Database, statement: str, parameters: Any) -> list[str]:
    """The steps of SQLite's plan for the statement."""
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return [row.detail for row in rows]


def is_fine(database: Database, step: str) -> bool:
    """Whether a step of a plan reaches few rows, or those of what is always small."""
    if "AUTOMATIC" in step or step == "USE TEMP B-TREE FOR ORDER BY":
        # An index made for this one statement, of all rows; all rows put in order for one page of them.
        return False
    scan = re.match(r"SCAN (?:main\.)?(\S+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
    if scan is None or scan[1].startswith(SMALL):
        return True
    return scan[2] is not None and count_indexed(database, table=scan[1], index=scan[2]) <= MAX_WALKED


def count_indexed(database: Database, *, table: str, index: str) -> int:
    """How many rows an index holds."""
    with database.engine.connect() as connection:
        query = "SELECT sql FROM sqlite_master WHERE name = ?"
        definition = str(connection.exec_driver_sql(query, (index,)).scalar())
        condition = definition.partition(" WHERE ")[2] or "TRUE"
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE {condition}").scalar_one())


def count_work(database: Database, name: str, newest: int) -> int:
    """How many instructions SQLite's machine takes to read it, to the nearest ten."""
    num_ticks = 0

    def tick() -> None:
        nonlocal num_ticks
        num_ticks += 1

    with claim_slot(database) as worker_id:
        beat(database, worker_id)
        with database.transaction() as session:
            connection = cast(sqlite3.Connection, session.connection().connection.driver_connection)
            connection.set_progress_handler(tick, 10)
            READS[name](session, newest)
            connection.set_progress_handler(None, 0)
    return num_ticks * 10


def test_the_database_is_as_large_as_it_should_be(large: Database) -> None:
    expected = {
        "experiments": NUM_EXPERIMENTS,
        "runs": NUM_EXPERIMENTS * NUM_RUNS,
        "workflow_status": NUM_EXPERIMENTS * NUM_RUNS,
        "epoch_metrics": NUM_EXPERIMENTS * NUM_RUNS * NUM_EPOCHS,
    }
    with claim_slot(large) as worker_id, large.engine.connect() as connection:
        beat(large, worker_id)
        counts = {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() for name in expected
        }
        with large.transaction() as session:
            pages = {status: list_only(ListFilter(status=status))(session, 0) for status in STATUSES}
    assert counts == expected
    assert all(pages.values())


@pytest.mark.parametrize("is_worker_alive", [True, False], ids=["worker", "no worker"])
@pytest.mark.parametrize("name", READS)
def test_no_table_that_grows_is_gone_through(large: Database, name: str, is_worker_alive: bool) -> None:
    with claim_slot(large) as worker_id:
        beat(large, worker_id, silent_seconds=0 if is_worker_alive else 1_000)
        with record_statements(large) as statements, large.transaction() as session:
            READS[name](session, NUM_EXPERIMENTS)
    assert statements
    for statement, parameters in statements:
        plan = explain(large, statement, parameters)
        slow = [step for step in plan if not is_fine(large, step)]
        assert not slow, "\n".join([*slow, "in the plan", *plan, "of", statement])


@pytest.mark.parametrize("name", [name for name in READS if name not in GROWING])
def test_work_does_not_grow_with_what_is_not_asked_for(large: Database, small: Database, name: str) -> None:
    work = count_work(large, name, NUM_EXPERIMENTS)
    assert work <= count_work(small, name, NUM_EXPERIMENTS_IN_SMALL) * 1.1 + 100
