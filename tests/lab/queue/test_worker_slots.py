import fcntl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.database.engine import Database
from lab.queue.worker_slots import claim_slot, list_held_slots

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]
NUM_LOOKS = 400
HOLD_A_SLOT = """
import sys
from lab.database.engine import Database
from lab.queue.worker_slots import claim_slot
with claim_slot(Database(sys.argv[1])) as worker_id:
    print(worker_id, flush=True)
    sys.stdin.read()
"""


def look(database: Database) -> set[str]:
    with database.transaction() as session:
        return list_held_slots(session)


def look_from_many_threads(database: Database) -> list[set[str]]:
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda _: look(database), range(NUM_LOOKS)))


def test_slots_are_distinct_and_the_lowest_free_one_is_taken(database: Database) -> None:
    with claim_slot(database) as first:
        assert first == "worker-1"
        with claim_slot(database) as second:
            assert second == "worker-2"
        with claim_slot(database) as again:
            assert again == "worker-2"
    with claim_slot(database) as freed:
        assert freed == "worker-1"


def test_lower_slot_is_taken_once_it_is_free(database: Database) -> None:
    first, second = claim_slot(database), claim_slot(database)
    first.__enter__()
    with second as worker_id:
        assert worker_id == "worker-2"
        first.__exit__(None, None, None)
        with claim_slot(database) as third:
            assert third == "worker-1"
            assert look(database) == {"worker-1", "worker-2"}


def test_slot_is_freed_when_the_block_raises(database: Database) -> None:
    try:
        with claim_slot(database):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert look(database) == set()


def test_slots_are_listed_while_they_are_held(database: Database) -> None:
    assert look(database) == set()
    with claim_slot(database):
        assert look(database) == {"worker-1"}
        # Looking does not take it away.
        assert look(database) == {"worker-1"}
    assert look(database) == set()


def test_one_who_is_just_looking_is_not_taken_for_the_worker(database: Database) -> None:
    with claim_slot(database):
        pass
    (path,) = Path(str(database.url.database)).parent.glob("*.worker-1.lock")
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert look(database) == set()


def test_many_who_look_at_once_do_not_take_each_other_for_the_worker(database: Database) -> None:
    with claim_slot(database):
        pass
    # The slot's file is still there, for all to look at.
    assert look_from_many_threads(database) == [set()] * NUM_LOOKS


def test_many_who_look_at_once_all_see_the_worker(database: Database) -> None:
    with claim_slot(database) as worker_id:
        assert look_from_many_threads(database) == [{worker_id}] * NUM_LOOKS


def test_databases_do_not_share_slots(database: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path}/other.db")
    with claim_slot(database) as here, claim_slot(other) as there:
        assert here == there == "worker-1"
    with claim_slot(other):
        assert look(database) == set()
        assert look(other) == {"worker-1"}


def test_slot_of_a_killed_process_is_free_again(database: Database) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_SLOT, str(database.url)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "worker-1\n"
        assert look(database) == {"worker-1"}
        with claim_slot(database) as beside:
            assert beside == "worker-2"
        process.kill()
        process.wait()
    assert look(database) == set()
    with claim_slot(database) as worker_id:
        assert worker_id == "worker-1"
