import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from lab.database.engine import MIGRATIONS_DIR, Database, explain_database_error, seconds_now
from lab.database.tables import Base, EpochMetric, Experiment, LayerStatistic, Run
from lab.errors import DatabaseUnavailableError, DatabaseVersionError, SettingsError
from lab.experiments.configs import RunConfig
from lab.queue.job_queue import upgrade_queue
from lab.runs.attempts import begin_attempt
from lab.runs.progress import list_pending_runs
from lab.runs.records import read_experiment, read_metrics

REPOSITORY = Path(__file__).parents[3]
UPGRADE = """
import sys
from lab.database.engine import Database
from lab.queue.job_queue import upgrade_queue
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


def upgrade_to(database: Database, revision: str) -> None:
    """Bring the schema to what it was in an earlier version."""
    with database.engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS_DIR))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def fill_first_revision(database: Database, config: RunConfig) -> None:
    """Write what the first version wrote: an experiment, a run that has recorded an epoch."""
    rows: dict[str, dict[str, Any]] = {
        "experiments": {
            "id": 3,
            "name": "an old one",
            "dataset": "digits",
            "preset": "study",
            "request": '{"seeds": 1}',
            "idempotency_key": "key",
            "created_at": "2025-06-07 08:09:10.000000",
        },
        "runs": {
            "id": 5,
            "experiment_id": 3,
            "config": json.dumps(config.to_json()),
            "job_id": "run-5-old",
            "is_paused": False,
            "device": "cpu",
            "started_at": "2025-06-07 08:09:11.000000",
        },
        "epoch_metrics": {
            "run_id": 5,
            "epoch": 1,
            "learning_rate": 0.04,
            "seconds": 1.5,
            "train_loss": 0.3,
            "train_accuracy": 0.8,
            "test_loss": 0.4,
            "test_accuracy": 0.75,
        },
    }
    with database.engine.begin() as connection:
        for table, row in rows.items():
            target = sa.table(table, *map(sa.column, row))
            connection.execute(sa.insert(target).values(row))


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

    def test_its_clock_counts_seconds_since_1970(self, database: Database) -> None:
        before = time.time()
        with database.transaction() as session:
            seconds = session.scalar(sa.select(seconds_now()))
        after = time.time()
        # SQLite's clock counts days to a tenth of a millisecond.
        assert seconds is not None
        assert before - 0.01 <= seconds <= after + 0.01

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


class TestUnavailable:
    def test_a_file_that_is_no_database_is_named_as_such_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "letter.txt"
        path.write_text("Dear Sir or Madam, " * 99)
        database = Database(f"sqlite:///{path}")
        with pytest.raises(DatabaseUnavailableError, match=r"set LAB_DATABASE_URL to a SQLite file of this"):
            database.upgrade()
        with pytest.raises(DatabaseUnavailableError, match=r"set LAB_DATABASE_URL to a SQLite file of this"):
            upgrade_queue(database)
        assert path.read_text().startswith("Dear Sir")

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("a file")
        with pytest.raises(DatabaseUnavailableError, match=r"The database cannot be used \(.*taken"):
            Database(f"sqlite:///{tmp_path}/taken/deeper/lab.db")

    @pytest.mark.parametrize(
        ("reason", "advice"),
        [
            ("database or disk is full", "free some space on its disk"),
            ("attempt to write a readonly database", "make its file and folder writable for this user"),
            ("database is locked", "another program holds it; try again when that is done"),
            ("connection refused", "try again"),
        ],
    )
    def test_the_reason_comes_with_advice(self, reason: str, advice: str) -> None:
        error = sa.exc.OperationalError("SELECT 1", {}, Exception(reason))
        assert explain_database_error(error) == f"The database cannot be used ({reason}): {advice}."

    def test_a_path_is_not_taken_for_the_reason(self) -> None:
        sentence = explain_database_error(OSError(30, "Read-only file system", "/full/lab.db.lock"))
        assert "/full/lab.db.lock" in sentence
        assert sentence.endswith("make its file and folder writable for this user.")


class TestTables:
    def test_deleting_an_experiment_deletes_its_runs_and_all_that_is_theirs(self, database: Database) -> None:
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
            session.add(LayerStatistic(run_id=run.id, step=0, layer=1, gradient_norm=0.5))
        with database.transaction() as session:
            session.delete(session.get_one(Experiment, experiment_id))
        assert count(database, Run) == 0
        assert count(database, EpochMetric) == 0
        assert count(database, LayerStatistic) == 0

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

    def test_what_the_first_revision_held_reads_back_whole(self, empty: Database) -> None:
        config = RunConfig(dataset="digits", normalization="group", l1=1e-4, schedule="constant", epochs=4)
        upgrade_to(empty, "0001")
        fill_first_revision(empty, config)
        empty.upgrade()
        upgrade_queue(empty)
        with empty.transaction() as session:
            experiment = read_experiment(session, 3)
            (metric,) = read_metrics(session, [5])[5]
        assert (experiment.name, experiment.dataset, experiment.preset) == ("an old one", "digits", "study")
        assert experiment.created_at == datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)
        assert (experiment.priority, experiment.progress) == (0, 1 / 4)
        (run,) = experiment.runs
        assert (run.id, run.config, run.device, run.epoch) == (5, config, "cpu", 1)
        assert run.started_at == datetime(2025, 6, 7, 8, 9, 11, tzinfo=UTC)
        assert (metric.test_accuracy, metric.train_loss, metric.validation_loss) == (0.75, 0.3, None)

    def test_a_run_of_the_first_revision_can_be_trained(self, empty: Database) -> None:
        config = RunConfig(dataset="digits", schedule="constant")
        upgrade_to(empty, "0001")
        fill_first_revision(empty, config)
        empty.upgrade()
        with empty.transaction() as session:
            begin_attempt(session, "run-5-old", device="cpu")
        with empty.transaction() as session:
            assert list_pending_runs(session, "run-5-old") == [(5, config)]
            run = session.get_one(Run, 5)
            assert (run.num_attempts, run.last_problem) == (1, None)

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

    @pytest.mark.slow
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
