from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from lab.database.engine import Database
from lab.database.tables import Worker
from lab.queue.worker_slots import claim_slot
from lab.queue.workers import Workforce, read_workforce, record_heartbeat
from tests.lab.runs.situations import beat, make_signs


def read(database: Database) -> Workforce:
    with database.transaction() as session:
        return read_workforce(session)


class TestAlive:
    def test_is_who_holds_a_slot_and_was_just_heard_of(self, database: Database, worker: str) -> None:
        workforce = read(database)
        assert list(workforce.workers) == [worker]
        assert (workforce.alive, workforce.stalled, workforce.responsible) == ([worker], [], [worker])

    def test_is_nobody_who_has_let_go_of_the_slot(self, database: Database) -> None:
        with claim_slot(database) as worker_id:
            beat(database, worker_id)
        workforce = read(database)
        assert workforce.workers == {}
        assert (workforce.alive, workforce.responsible) == ([], [])

    def test_is_nobody_who_was_never_heard_of(self, database: Database) -> None:
        with claim_slot(database):
            assert read(database).workers == {}

    @pytest.mark.parametrize(
        ("silent_seconds", "is_alive", "is_responsible"),
        [(0, True, True), (10, True, True), (16, False, True), (55, False, True), (61, False, False)],
    )
    def test_is_nobody_who_has_been_silent_for_long(
        self, database: Database, worker: str, silent_seconds: int, is_alive: bool, is_responsible: bool
    ) -> None:
        beat(database, worker, silent_seconds=silent_seconds)
        workforce = read(database)
        assert workforce.alive == [worker] * is_alive
        assert workforce.responsible == [worker] * is_responsible
        assert workforce.workers[worker].silent_seconds >= silent_seconds

    def test_is_each_for_itself(self, database: Database, worker: str) -> None:
        with claim_slot(database) as second:
            beat(database, second, silent_seconds=30)
            beat(database, "worker-7")
            workforce = read(database)
        assert set(workforce.workers) == set(workforce.responsible) == {worker, second}
        assert workforce.alive == [worker]

    def test_is_who_was_heard_of_in_the_future_after_the_clock_was_set_back(
        self, database: Database, worker: str
    ) -> None:
        beat(database, worker, silent_seconds=-3_600)
        workforce = read(database)
        assert workforce.alive == [worker]
        assert workforce.workers[worker].silent_seconds == 0


class TestStalled:
    @pytest.mark.parametrize(
        ("idle_seconds", "is_stalled"), [(None, False), (0.0, False), (20.0, False), (20.5, True)]
    )
    def test_is_who_lives_and_whose_job_has_not_moved(
        self, database: Database, worker: str, idle_seconds: float | None, is_stalled: bool
    ) -> None:
        beat(database, worker, idle_seconds=idle_seconds)
        workforce = read(database)
        assert workforce.workers[worker].idle_seconds == idle_seconds
        assert workforce.stalled == [worker] * is_stalled
        assert workforce.alive == [worker]

    def test_is_nobody_of_whom_nothing_is_known_any_more(self, database: Database, worker: str) -> None:
        beat(database, worker, silent_seconds=30, idle_seconds=100)
        assert read(database).stalled == []


class TestHeartbeat:
    def test_brings_a_silent_worker_back(self, database: Database, worker: str) -> None:
        beat(database, worker, silent_seconds=100, idle_seconds=100)
        beat(database, worker)
        workforce = read(database)
        assert (workforce.alive, workforce.stalled) == ([worker], [])

    def test_takes_the_place_of_the_one_before(self, database: Database, worker: str) -> None:
        started_at = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
        with database.transaction() as session:
            signs = make_signs(device="another", started_at=started_at, idle_seconds=1.5, bundle_size=24)
            record_heartbeat(session, worker, signs=signs)
        with database.transaction() as session:
            assert session.scalars(sa.select(Worker.id)).all() == [worker]
        record = read(database).workers[worker]
        assert (record.device, record.started_at, record.idle_seconds) == ("another", started_at, 1.5)
        assert record.bundle_size == 24
