import subprocess
import sys
from pathlib import Path

from lab.database import Database
from lab.worker_slots import claim_slot, list_workers

REPOSITORY = Path(__file__).parent.parent.parent
HOLD_A_SLOT = """
import sys
from lab.database import Database
from lab.worker_slots import claim_slot
with claim_slot(Database(sys.argv[1])) as worker_id:
    print(worker_id, flush=True)
    sys.stdin.read()
"""


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
            assert list_workers(database) == ["worker-1", "worker-2"]


def test_slot_is_freed_when_the_block_raises(database: Database) -> None:
    try:
        with claim_slot(database):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert list_workers(database) == []


def test_workers_are_listed_while_they_live(database: Database) -> None:
    assert list_workers(database) == []
    with claim_slot(database):
        assert list_workers(database) == ["worker-1"]
        # Looking does not take it away.
        assert list_workers(database) == ["worker-1"]
    assert list_workers(database) == []


def test_databases_do_not_share_slots(database: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path}/other.db")
    with claim_slot(database) as here, claim_slot(other) as there:
        assert here == there == "worker-1"


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
        assert list_workers(database) == ["worker-1"]
        with claim_slot(database) as beside:
            assert beside == "worker-2"
        process.kill()
        process.wait()
    assert list_workers(database) == []
    with claim_slot(database) as worker_id:
        assert worker_id == "worker-1"
