import pytest
import sqlalchemy as sa

from lab.database.engine import Database
from lab.database.tables import Run
from lab.errors import NotFoundError, RunNotFinishedError
from lab.experiments.configs import RunConfig
from lab.experiments.planning import ExperimentSpec
from lab.queue.job_queue import JOBS, JobQueue
from lab.runs.control import submit_experiment
from lab.runs.predictions import read_log_probabilities
from lab.runs.records import (
    RunRecord,
    count_runs_by_status,
    has_experiments,
    list_completed_runs,
    read_experiment,
    read_metrics,
    read_run,
    read_weights,
)
from tests.lab.runs.situations import Submit, fail, finish, make_metric, read_again, take


def add_epochs(database: Database, run: RunRecord, *, number: int) -> None:
    with database.transaction() as session:
        for epoch in range(number, 0, -1):
            session.add(make_metric(run.id, epoch, test_accuracy=epoch / 100))


class TestSubmit:
    def test_writes_what_was_asked_for_and_queues_every_run(self, database: Database, submit: Submit) -> None:
        experiment = submit(2, normalization="group", l1=1e-4, label="mine")
        assert (experiment.name, experiment.dataset, experiment.preset) == ("an experiment", "digits", None)
        assert [run.config.seed for run in experiment.runs] == [0, 1]
        assert experiment.runs[0].config == RunConfig(
            dataset="digits", normalization="group", l1=1e-4, label="mine", schedule="constant", epochs=3
        )
        assert [(run.status, run.epoch, run.device, run.error) for run in experiment.runs] == [
            ("queued", 0, None, None)
        ] * 2
        assert experiment.status == "queued"
        assert experiment.progress == 0
        with database.transaction() as session:
            jobs = session.scalars(sa.select(JOBS.c.workflow_uuid).order_by(JOBS.c.workflow_uuid)).all()
        assert [job.rsplit("-", 1)[0] for job in jobs] == sorted(f"run-{run.id}" for run in experiment.runs)

    def test_leaves_nothing_behind_when_its_transaction_fails(
        self, database: Database, queue: JobQueue
    ) -> None:
        runs = (RunConfig(dataset="digits", schedule="constant"),)
        spec = ExperimentSpec(name="x", dataset="digits", preset=None, runs=runs)

        def submit_and_raise() -> None:
            with database.transaction() as session:
                submit_experiment(session, queue, spec=spec, request={})
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            submit_and_raise()
        with database.transaction() as session:
            assert not has_experiments(session)
            assert session.scalar(sa.select(sa.func.count()).select_from(JOBS)) == 0
            assert session.scalar(sa.select(sa.func.count()).select_from(Run)) == 0

    def test_is_known_from_then_on(self, database: Database, submit: Submit) -> None:
        with database.transaction() as session:
            assert not has_experiments(session)
        submit()
        with database.transaction() as session:
            assert has_experiments(session)


class TestCounting:
    def test_every_status_is_counted(self, database: Database, submit: Submit, worker: str) -> None:
        runs = submit(5).runs
        take(database, runs[0].id, worker_id=worker)
        with database.transaction() as session:
            session.get_one(Run, runs[1].id).job_id = None
        finish(database, runs[2].id)
        with database.transaction() as session:
            counts = count_runs_by_status(session)
        assert counts == {"running": 1, "cancelled": 1, "completed": 1, "queued": 2}


class TestExperiment:
    def test_progress_is_the_share_of_all_epochs(self, database: Database, submit: Submit) -> None:
        experiment = submit(2, epochs=4)
        add_epochs(database, experiment.runs[0], number=4)
        add_epochs(database, experiment.runs[1], number=1)
        with database.transaction() as session:
            assert read_experiment(session, experiment.id).progress == pytest.approx(5 / 8)


class TestMetrics:
    def test_are_in_order_of_their_epochs_and_each_runs_own(self, database: Database, submit: Submit) -> None:
        first, second, third = submit(3).runs
        add_epochs(database, first, number=3)
        add_epochs(database, second, number=1)
        with database.transaction() as session:
            metrics = read_metrics(session, [second.id, first.id, third.id])
        assert {run_id: [metric.epoch for metric in found] for run_id, found in metrics.items()} == {
            second.id: [1],
            first.id: [1, 2, 3],
            third.id: [],
        }

    def test_run_carries_its_last(self, database: Database, submit: Submit) -> None:
        (run,) = submit().runs
        assert run.last_metric is None
        add_epochs(database, run, number=3)
        again = read_again(database, run)
        assert again.epoch == 3
        assert again.last_metric is not None
        assert again.last_metric.test_accuracy == 0.03


class TestReading:
    def test_what_is_not_there_is_named(self, database: Database) -> None:
        with database.transaction() as session:
            with pytest.raises(NotFoundError, match="There is no experiment 41; GET /experiments lists"):
                read_experiment(session, 41)
            with pytest.raises(NotFoundError, match="There is no run 42; GET /experiments lists"):
                read_run(session, 42)

    def test_only_completed_runs_have_weights_and_predictions(
        self, database: Database, submit: Submit
    ) -> None:
        queued, failed = submit(2).runs
        add_epochs(database, queued, number=2)
        fail(database, failed.id)
        sentences = {
            queued.id: f"Run {queued.id} is queued after epoch 2 of 3.",
            failed.id: f"Run {failed.id} is failed: Because.",
        }
        for run in (queued, failed):
            with database.transaction() as session:
                for read in (read_weights, read_log_probabilities):
                    with pytest.raises(RunNotFinishedError) as error:
                        read(session, read_run(session, run.id))
                    assert str(error.value).startswith(sentences[run.id])

    def test_completed_runs_are_listed(self, database: Database, submit: Submit) -> None:
        first, second = submit(2), submit(2)
        finish(database, first.runs[0].id)
        fail(database, first.runs[1].id)
        finish(database, second.runs[1].id)
        with database.transaction() as session:
            everywhere = list_completed_runs(session)
            in_second = list_completed_runs(session, experiment_id=second.id)
        assert [run.id for run in everywhere] == [first.runs[0].id, second.runs[1].id]
        assert [run.id for run in in_second] == [second.runs[1].id]
