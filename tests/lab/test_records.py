from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from lab.configs import RunConfig
from lab.database import Database
from lab.errors import NotFoundError, RunNotFinishedError
from lab.experiment_control import submit_experiment
from lab.experiment_specs import ExperimentSpec
from lab.job_queue import JOBS, JobQueue
from lab.records import (
    ExperimentRecord,
    RunRecord,
    Status,
    count_runs_by_status,
    has_experiments,
    list_completed_runs,
    list_experiments,
    read_experiment,
    read_log_probabilities,
    read_metrics,
    read_run,
    read_weights,
)
from lab.run_progress import record_failure
from lab.tables import EpochMetric, Run, now

Submit = Callable[..., ExperimentRecord]

# What the queue says of a job → what is said of its run while the worker has written nothing.
STATUS_OF_JOB: dict[str, Status] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "CANCELLED": "failed",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "SUCCESS": "failed",
}


def set_job_state(database: Database, run: RunRecord, state: str) -> None:
    with database.transaction() as session:
        session.execute(
            sa.update(JOBS).where(JOBS.c.workflow_uuid.startswith(f"run-{run.id}-")).values(status=state)
        )


def finish(database: Database, run: RunRecord) -> None:
    with database.transaction() as session:
        session.execute(sa.update(Run).where(Run.id == run.id).values(finished_at=now()))


def fail(database: Database, run: RunRecord) -> None:
    with database.transaction() as session:
        job_id = str(session.get_one(Run, run.id).job_id)
        record_failure(session, run.id, job_id=job_id, reason="Because.")


def read_again(database: Database, run: RunRecord) -> RunRecord:
    with database.transaction() as session:
        return read_run(session, run.id)


def add_epochs(database: Database, run: RunRecord, *, number: int) -> None:
    with database.transaction() as session:
        for epoch in range(number, 0, -1):
            figures = dict.fromkeys(
                ("learning_rate", "seconds", "train_loss", "train_accuracy", "test_loss"), 0.5
            )
            session.add(EpochMetric(run_id=run.id, epoch=epoch, test_accuracy=epoch / 100, **figures))


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


class TestRunStatus:
    @pytest.mark.parametrize("state", STATUS_OF_JOB)
    def test_is_what_the_queue_says(self, database: Database, submit: Submit, state: str) -> None:
        (run,) = submit().runs
        set_job_state(database, run, state)
        assert read_again(database, run).status == STATUS_OF_JOB[state]

    @pytest.mark.parametrize("state", STATUS_OF_JOB)
    def test_what_the_worker_wrote_outweighs_the_queue(
        self, database: Database, submit: Submit, state: str
    ) -> None:
        completed, failed = submit(2).runs
        for run in (completed, failed):
            set_job_state(database, run, state)
        finish(database, completed)
        fail(database, failed)
        assert read_again(database, completed).status == "completed"
        assert read_again(database, completed).is_completed
        assert read_again(database, failed).status == "failed"
        assert read_again(database, failed).error == "Because."

    @pytest.mark.parametrize("state", ["ERROR", "SUCCESS"])
    def test_lost_job_has_a_reason(self, database: Database, submit: Submit, state: str) -> None:
        (run,) = submit().runs
        set_job_state(database, run, state)
        assert "without a reason" in str(read_again(database, run).error)

    def test_run_without_a_job_has_failed(self, database: Database, submit: Submit) -> None:
        (run,) = submit().runs
        with database.transaction() as session:
            session.execute(sa.delete(JOBS))
        assert read_again(database, run).status == "failed"

    def test_every_status_is_counted(self, database: Database, submit: Submit) -> None:
        runs = submit(5).runs
        set_job_state(database, runs[0], "PENDING")
        with database.transaction() as session:
            session.get_one(Run, runs[1].id).job_id = None
        finish(database, runs[2])
        with database.transaction() as session:
            counts = count_runs_by_status(session)
        assert counts == {"running": 1, "cancelled": 1, "completed": 1, "queued": 2}


class TestExperimentStatus:
    @pytest.mark.parametrize(
        ("statuses", "expected"),
        [
            (("queued", "running", "failed", "completed"), "running"),
            (("completed", "queued", "failed", "cancelled"), "queued"),
            (("completed", "cancelled", "failed"), "failed"),
            (("completed", "cancelled"), "cancelled"),
            (("completed", "completed"), "completed"),
        ],
    )
    def test_is_the_first_of_its_runs(
        self, submit: Submit, statuses: tuple[Status, ...], expected: Status
    ) -> None:
        experiment = submit(len(statuses))
        runs = [replace(run, status=status) for run, status in zip(experiment.runs, statuses, strict=True)]
        assert replace(experiment, runs=runs).status == expected

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
        fail(database, failed)
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
        finish(database, first.runs[0])
        fail(database, first.runs[1])
        finish(database, second.runs[1])
        with database.transaction() as session:
            everywhere = list_completed_runs(session)
            in_second = list_completed_runs(session, experiment_id=second.id)
        assert [run.id for run in everywhere] == [first.runs[0].id, second.runs[1].id]
        assert [run.id for run in in_second] == [second.runs[1].id]


class TestListing:
    def test_newest_come_first_page_by_page(self, database: Database, submit: Submit) -> None:
        ids = [submit().id for _ in range(5)]
        with database.transaction() as session:
            first = list_experiments(session, limit=2)
            second = list_experiments(session, limit=2, before_id=first[-1].id)
            third = list_experiments(session, limit=2, before_id=second[-1].id)
            beyond = list_experiments(session, limit=2, before_id=third[-1].id)
        pages = [[experiment.id for experiment in page] for page in (first, second, third, beyond)]
        assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1], []]

    def test_filters_by_data_set_and_keeps_each_experiments_runs(
        self, database: Database, submit: Submit
    ) -> None:
        digits, mnist = submit(2), submit(1, dataset="mnist")
        with database.transaction() as session:
            assert list_experiments(session, limit=9, dataset="digits") == [digits]
            assert list_experiments(session, limit=9, dataset="mnist") == [mnist]
            assert list_experiments(session, limit=9, dataset="kmnist") == []
            assert list_experiments(session, limit=9) == [mnist, digits]
