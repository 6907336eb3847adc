import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from lab.database import Database
from lab.errors import DatabaseVersionError, SettingsError
from lab.tables import Base, EpochMetric, Experiment, Run

REPOSITORY = Path(__file__).parent.parent.parent
UPGRADE = """
import sys
from lab.database import Database
from lab.job_queue import upgrade_queue
print("ready", flush=True)
sys.stdin.readline()
database = Database(sys.argv[1])
database.upgrade()
upgrade_queue(database)
"""


@pytest.fixture
def empty(tmp_path: Path) -> Database:
    """A database file that nothing has been written to."""
    return Database(f"sqlite:///{tmp_path}/empty.db")


def add_experiment(database: Database) -> int:
    with database.transaction() as session:
        experiment = Experiment(name="x", dataset="digits", preset=None, request={})
        session.add(experiment)
        session.flush()
        return experiment.id


def count(database: Database, table: type[Base]) -> int:
    with database.transaction() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


class TestConnection:
    def test_every_connection_has_the_pragmas(self, empty: Database) -> None:
        with empty.engine.connect() as first, empty.engine.connect() as second:
            for connection in (first, second):
                values = {
                    name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("journal_mode", "busy_timeout", "synchronous", "foreign_keys")
                }
                assert values == {
                    "journal_mode": "wal",
                    "busy_timeout": 30_000,
                    "synchronous": 2,
                    "foreign_keys": 1,
                }

    def test_folder_of_the_file_is_made(self, tmp_path: Path) -> None:
        database = Database(f"sqlite:///{tmp_path}/a/b/lab.db")
        database.upgrade()
        assert (tmp_path / "a" / "b" / "lab.db").is_file()
        database.close()

    @pytest.mark.parametrize(
        ("url", "sentence"),
        [
            ("", "LAB_DATABASE_URL is not a database URL; write sqlite:///var/lab.db or postgresql://"),
            ("var/lab.db", "LAB_DATABASE_URL is not a database URL"),
            ("sqlite://", "LAB_DATABASE_URL starts with sqlite://; it must be sqlite:/// with a file"),
            ("sqlite:///:memory:", "it must be sqlite:/// with a file, shared by the service and the worker"),
            ("mysql://lab:hunter2@db/lab", "LAB_DATABASE_URL starts with mysql://; it must be"),
        ],
    )
    def test_other_urls_are_refused(self, url: str, sentence: str) -> None:
        with pytest.raises(SettingsError) as error:
            Database(url)
        assert sentence in str(error.value)
        assert "hunter2" not in str(error.value)

    def test_postgresql_is_spoken_to_through_psycopg(self) -> None:
        pytest.importorskip("psycopg")
        assert Database("postgresql://lab@db/lab").url.drivername == "postgresql+psycopg"


class TestTransaction:
    def test_is_committed_when_the_block_ends(self, database: Database) -> None:
        add_experiment(database)
        assert count(database, Experiment) == 1

    def test_is_rolled_back_when_the_block_raises(self, database: Database) -> None:
        def write_and_raise() -> None:
            with database.transaction() as session:
                session.add(Experiment(name="x", dataset="digits", preset=None, request={}))
                session.flush()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write_and_raise()
        assert count(database, Experiment) == 0

    def test_reader_is_not_held_up_by_a_writer(self, database: Database) -> None:
        add_experiment(database)
        with database.transaction() as writer:
            writer.add(Experiment(name="x", dataset="digits", preset=None, request={}))
            writer.flush()
            assert count(database, Experiment) == 1
        assert count(database, Experiment) == 2

    def test_what_was_read_can_be_used_after_it(self, database: Database) -> None:
        experiment_id = add_experiment(database)
        with database.transaction() as session:
            experiment = session.get_one(Experiment, experiment_id)
        assert experiment.name == "x"
        assert experiment.created_at.utcoffset() is not None


class TestTables:
    def test_deleting_an_experiment_deletes_its_runs_and_their_metrics(self, database: Database) -> None:
        experiment_id = add_experiment(database)
        with database.transaction() as session:
            run = Run(experiment_id=experiment_id, config={}, job_id="run-1")
            session.add(run)
            session.flush()
            numbers = dict.fromkeys(
                ("learning_rate", "seconds", "train_loss", "train_accuracy", "test_loss", "test_accuracy"),
                0.5,
            )
            session.add(EpochMetric(run_id=run.id, epoch=1, **numbers))
        with database.transaction() as session:
            session.delete(session.get_one(Experiment, experiment_id))
        assert count(database, Run) == 0
        assert count(database, EpochMetric) == 0

    def test_an_id_is_never_given_out_twice(self, database: Database) -> None:
        first = add_experiment(database)
        with database.transaction() as session:
            session.delete(session.get_one(Experiment, first))
        assert add_experiment(database) > first

    def test_a_run_needs_its_experiment(self, database: Database) -> None:
        with pytest.raises(sa.exc.IntegrityError), database.transaction() as session:
            session.add(Run(experiment_id=77, config={}, job_id="run-1"))


class TestUpgrade:
    def test_models_are_what_the_migrations_make(self, empty: Database) -> None:
        empty.upgrade()
        with empty.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []

    def test_a_second_time_changes_nothing(self, empty: Database) -> None:
        empty.upgrade()
        add_experiment(empty)
        empty.upgrade()
        assert count(empty, Experiment) == 1

    def test_a_newer_schema_is_refused_and_left_alone(self, empty: Database) -> None:
        empty.upgrade()
        add_experiment(empty)
        with empty.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(DatabaseVersionError, match=r"was written by a newer version of this software"):
            empty.upgrade()
        assert count(empty, Experiment) == 1

    def test_processes_that_start_together_take_turns(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/shared.db"
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", UPGRADE, url],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            _, problems = process.communicate(timeout=60)
            assert process.returncode == 0, problems
        database = Database(url)
        tables = set(sa.inspect(database.engine).get_table_names())
        assert tables >= {*Base.metadata.tables, "alembic_version", "workflow_status"}
        database.close()
