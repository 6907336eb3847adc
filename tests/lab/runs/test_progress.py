from collections.abc import Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa
import torch

from lab.database.engine import Database
from lab.database.safetensors import decode_tensors
from lab.database.tables import Checkpoint, EpochMetric, Experiment, Run, TestPrediction
from lab.experiments.configs import RunConfig
from lab.queue.job_queue import JobQueue
from lab.runs.attempts import begin_attempt
from lab.runs.control import cancel_experiment, pause_experiment, resume_experiment
from lab.runs.epochs import EpochReport, LayerStatistics, TrainingState
from lab.runs.layer_statistics import read_layer_statistics
from lab.runs.predictions import read_log_probabilities
from lab.runs.progress import (
    list_pending_runs,
    load_state,
    owns_all_runs,
    record_checkpoint,
    record_epoch,
    record_failure,
    record_layer_statistics,
)
from lab.runs.records import ExperimentRecord, read_metrics, read_run, read_weights
from tests.lab.runs.situations import Submit, make_report, read_job


def record(database: Database, run_id: int, report: EpochReport, *, is_last: bool = False) -> None:
    with database.transaction() as session:
        record_epoch(session, run_id, job_id=read_job(session, run_id), report=report, is_last=is_last)


def begin(database: Database, *run_ids: int, device: str = "cpu") -> Sequence[tuple[int, RunConfig]]:
    """Begin one job of these runs, and list what it has to train."""
    with database.transaction() as session:
        session.execute(sa.update(Run).where(Run.id.in_(run_ids)).values(job_id="together"))
        begin_attempt(session, "together", device=device)
    with database.transaction() as session:
        return list_pending_runs(session, "together")


def record_state(database: Database, run_id: int, *, job_id: str, epoch: int, step: int) -> None:
    state = replace(make_report(max(epoch, 1)).state, epoch=epoch, step=step, seconds=2.5)
    with database.transaction() as session:
        record_checkpoint(session, run_id, job_id=job_id, state=state)


def read_position(database: Database, run_id: int) -> tuple[int, int] | None:
    with database.transaction() as session:
        state = load_state(session, run_id)
    return None if state is None else (state.epoch, state.step)


def read_epochs(database: Database, run_id: int) -> list[int]:
    with database.transaction() as session:
        return [metric.epoch for metric in read_metrics(session, [run_id])[run_id]]


def delete(database: Database, experiment: ExperimentRecord) -> None:
    with database.transaction() as session:
        session.delete(session.get_one(Experiment, experiment.id))


class TestBegin:
    def test_gives_the_runs_of_the_job_and_marks_them(self, database: Database, submit: Submit) -> None:
        first, second, _of_another_job = submit(3, normalization="group").runs
        assert begin(database, second.id, first.id, device="cpu, 2 threads") == [
            (first.id, first.config),
            (second.id, second.config),
        ]
        with database.transaction() as session:
            run = read_run(session, first.id)
        assert run.device == "cpu, 2 threads"
        assert run.started_at is not None

    def test_keeps_the_first_start_when_a_run_is_resumed(self, database: Database, submit: Submit) -> None:
        run_id = submit().runs[0].id
        begin(database, run_id)
        with database.transaction() as session:
            started_at = read_run(session, run_id).started_at
        begin(database, run_id, device="another")
        with database.transaction() as session:
            run = read_run(session, run_id)
        assert run.started_at == started_at
        assert run.device == "another"

    def test_leaves_a_job_that_has_lost_its_runs_with_nothing_to_train(
        self, database: Database, submit: Submit
    ) -> None:
        experiment = submit(2)
        first, second = (run.id for run in experiment.runs)
        begin(database, first, second)

        def has_all() -> bool:
            with database.transaction() as session:
                return owns_all_runs(session, "together", [first, second])

        assert has_all()
        # One that has finished is no reason to disturb the others.
        record(database, first, make_report(3), is_last=True)
        assert has_all()
        with database.transaction() as session:
            cancel_experiment(session, experiment.id)
        assert not has_all()
        with database.transaction() as session:
            assert list_pending_runs(session, "together") == []

    def test_leaves_out_what_is_finished_failed_or_gone(self, database: Database, submit: Submit) -> None:
        finished, failed, open_run = submit(3).runs
        gone = submit()
        record(database, finished.id, make_report(3), is_last=True)
        with database.transaction() as session:
            record_failure(session, failed.id, job_id=read_job(session, failed.id), reason="Because.")
        delete(database, gone)
        pending = begin(database, finished.id, failed.id, open_run.id, gone.runs[0].id, 999)
        assert [run_id for run_id, _ in pending] == [open_run.id]


class TestRecordEpoch:
    def test_writes_metrics_and_state_together(self, database: Database, submit: Submit) -> None:
        run_id = submit().runs[0].id
        report = make_report(1, validation_loss=0.25, validation_accuracy=0.75)
        record(database, run_id, report)
        with database.transaction() as session:
            (metric,) = read_metrics(session, [run_id])[run_id]
            state = load_state(session, run_id)
        for name in (
            "epoch",
            "learning_rate",
            "seconds",
            "train_loss",
            "train_accuracy",
            "validation_loss",
            "validation_accuracy",
            "test_loss",
            "test_accuracy",
        ):
            assert getattr(metric, name) == getattr(report, name), name
        assert_same_state(state, report.state)

    def test_only_the_latest_state_is_kept(self, database: Database, submit: Submit) -> None:
        run_id = submit().runs[0].id
        for epoch in (1, 2):
            record(database, run_id, make_report(epoch))
        with database.transaction() as session:
            assert_same_state(load_state(session, run_id), make_report(2).state)
            assert session.scalar(sa.select(sa.func.count()).select_from(Checkpoint)) == 1
        assert read_epochs(database, run_id) == [1, 2]

    @pytest.mark.parametrize("stale", [1, 2, 3])
    def test_never_moves_backwards(self, database: Database, submit: Submit, stale: int) -> None:
        run_id = submit().runs[0].id
        for epoch in (1, 2, 3):
            record(database, run_id, make_report(epoch))
        record(database, run_id, make_report(stale, test_accuracy=0.0), is_last=True)
        assert read_epochs(database, run_id) == [1, 2, 3]
        with database.transaction() as session:
            run = read_run(session, run_id)
            assert_same_state(load_state(session, run_id), make_report(3).state)
            assert session.scalar(sa.select(TestPrediction.run_id)) is None
        assert run.last_metric is not None
        assert run.last_metric.test_accuracy == pytest.approx(0.3)
        assert run.finished_at is None

    def test_last_epoch_completes_the_run_with_its_predictions(
        self, database: Database, submit: Submit
    ) -> None:
        run_id = submit().runs[0].id
        report = make_report(3)
        record(database, run_id, report, is_last=True)
        with database.transaction() as session:
            run = read_run(session, run_id)
            answers = read_log_probabilities(session, run)
            weights = decode_tensors(read_weights(session, run))
        assert run.status == "completed"
        assert run.finished_at is not None
        assert answers.dtype == "<f4"
        assert torch.equal(torch.from_numpy(answers.copy()), report.test_log_probabilities)
        assert weights.keys() == report.state.weights.keys()

    def test_run_deleted_meanwhile_is_ignored(self, database: Database, submit: Submit) -> None:
        experiment = submit()
        delete(database, experiment)
        record(database, experiment.runs[0].id, make_report(1), is_last=True)
        with database.transaction() as session:
            for table in (EpochMetric, Checkpoint, TestPrediction):
                assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


class TestOwnership:
    """A worker writes of a run in the name of the run's present job, or not at all."""

    @pytest.fixture
    def run_id(self, submit: Submit) -> int:
        return submit().runs[0].id

    @pytest.fixture
    def old_job(self, database: Database, queue: JobQueue, run_id: int) -> str:
        """The job that the run had before it was paused and resumed."""
        with database.transaction() as session:
            job_id = read_job(session, run_id)
            pause_experiment(session, 1)
        with database.transaction() as session:
            resume_experiment(session, queue, 1)
        return job_id

    def test_an_old_job_s_epoch_state_and_failure_are_ignored(
        self, database: Database, run_id: int, old_job: str
    ) -> None:
        with database.transaction() as session:
            record_epoch(session, run_id, job_id=old_job, report=make_report(1), is_last=True)
            record_failure(session, run_id, job_id=old_job, reason="Because.")
        record_state(database, run_id, job_id=old_job, epoch=0, step=5)

        with database.transaction() as session:
            run = read_run(session, run_id)
        assert (run.status, run.epoch, run.error) == ("queued", 0, None)
        assert read_position(database, run_id) is None

    def test_a_paused_run_takes_the_state_its_worker_had_in_hand(
        self, database: Database, run_id: int
    ) -> None:
        with database.transaction() as session:
            job_id = read_job(session, run_id)
            pause_experiment(session, 1)

        record_state(database, run_id, job_id=job_id, epoch=0, step=5)

        assert read_position(database, run_id) == (0, 5)

    def test_a_paused_run_is_not_failed_by_the_job_it_was_taken_from(
        self, database: Database, run_id: int
    ) -> None:
        with database.transaction() as session:
            job_id = read_job(session, run_id)
            pause_experiment(session, 1)
        with database.transaction() as session:
            record_failure(session, run_id, job_id=job_id, reason="It would not go.")
        with database.transaction() as session:
            assert read_run(session, run_id).status == "paused"

    def test_a_run_that_finished_while_it_was_paused_is_not_queued_again(
        self, database: Database, queue: JobQueue, run_id: int
    ) -> None:
        with database.transaction() as session:
            job_id = read_job(session, run_id)
            pause_experiment(session, 1)
        with database.transaction() as session:
            record_epoch(session, run_id, job_id=job_id, report=make_report(3), is_last=True)

        with database.transaction() as session:
            resume_experiment(session, queue, 1)

        with database.transaction() as session:
            assert session.get_one(Run, run_id).job_id is None
            assert read_run(session, run_id).status == "completed"

    def test_a_cancelled_run_takes_nothing(self, database: Database, run_id: int) -> None:
        with database.transaction() as session:
            job_id = read_job(session, run_id)
            cancel_experiment(session, 1)

        record_state(database, run_id, job_id=job_id, epoch=0, step=5)

        assert read_position(database, run_id) is None

    def test_states_within_an_epoch_only_move_forward(self, database: Database, run_id: int) -> None:
        with database.transaction() as session:
            job_id = read_job(session, run_id)
        positions = []
        for epoch, step in ((0, 5), (0, 3), (0, 7), (1, 0), (0, 9), (1, 2)):
            record_state(database, run_id, job_id=job_id, epoch=epoch, step=step)
            positions.append(read_position(database, run_id))

        assert positions == [(0, 5), (0, 5), (0, 7), (1, 0), (1, 0), (1, 2)]


class TestLayerStatistics:
    @pytest.fixture
    def runs(self, submit: Submit) -> list[int]:
        return [run.id for run in submit(2).runs]

    def read(self, database: Database, runs: list[int]) -> dict[int, list[LayerStatistics]]:
        with database.transaction() as session:
            return read_layer_statistics(session, runs)

    def record(
        self, database: Database, run_id: int, *steps: int, job_id: str = "", norm: float = 0.5
    ) -> None:
        with database.transaction() as session:
            for step in steps:
                layers = [make_layer(step, layer, norm=norm) for layer in (1, 2)]
                job = job_id or read_job(session, run_id)
                record_layer_statistics(session, run_id, job_id=job, statistics=layers)

    def test_are_read_by_step_and_layer(self, database: Database, runs: list[int]) -> None:
        self.record(database, runs[0], 4, 0)

        expected = [make_layer(step, layer) for step in (0, 4) for layer in (1, 2)]
        assert self.read(database, runs) == {runs[0]: expected, runs[1]: []}

    def test_measured_again_after_a_restart_are_there_once(self, database: Database, runs: list[int]) -> None:
        self.record(database, runs[0], 0, 1)
        self.record(database, runs[0], 1, 2, norm=0.7)

        layers = self.read(database, runs)[runs[0]]
        assert [layer.gradient_norm for layer in layers] == [0.5, 0.5, 0.7, 0.7, 0.7, 0.7]

    def test_are_taken_from_the_run_s_own_job_or_while_it_is_paused(
        self, database: Database, runs: list[int]
    ) -> None:
        with database.transaction() as session:
            job_id = read_job(session, runs[0])
            pause_experiment(session, 1)
        self.record(database, runs[0], 0, job_id=job_id)
        with database.transaction() as session:
            cancel_experiment(session, 1)
        self.record(database, runs[0], 1, job_id=job_id)

        assert {layer.step for layer in self.read(database, runs)[runs[0]]} == {0}


class TestLoadState:
    def test_there_is_none_before_the_first_epoch(self, database: Database, submit: Submit) -> None:
        run_id = submit().runs[0].id
        with database.transaction() as session:
            assert load_state(session, run_id) is None

    @pytest.mark.parametrize("column", ["weights", "training_state"])
    def test_damage_is_told(self, database: Database, submit: Submit, column: str) -> None:
        run_id = submit().runs[0].id
        record(database, run_id, make_report(1))
        with database.transaction() as session:
            session.execute(sa.update(Checkpoint).values({column: b"\x10" + bytes(20)}))
        with database.transaction() as session, pytest.raises(ValueError, match=r"."):
            load_state(session, run_id)


class TestRecordFailure:
    def test_reason_is_kept_beside_the_epochs(self, database: Database, submit: Submit) -> None:
        failed, other = submit(2).runs
        record(database, failed.id, make_report(1))
        with database.transaction() as session:
            record_failure(
                session,
                failed.id,
                job_id=read_job(session, failed.id),
                reason="The loss was no longer finite.",
            )
        with database.transaction() as session:
            run, untouched = read_run(session, failed.id), read_run(session, other.id)
        assert (run.status, run.error, run.epoch) == ("failed", "The loss was no longer finite.", 1)
        assert run.finished_at is not None
        assert (untouched.status, untouched.error) == ("queued", None)


def make_layer(step: int, layer: int, *, norm: float = 0.5) -> LayerStatistics:
    return LayerStatistics(
        step=step, layer=layer, activation_mean=-0.1, activation_variance=None, gradient_norm=norm
    )


def assert_same_state(state: TrainingState | None, expected: TrainingState) -> None:
    assert state is not None
    assert (state.epoch, state.step, state.learning_rate, state.schedule) == (
        expected.epoch,
        expected.step,
        expected.learning_rate,
        expected.schedule,
    )
    for ours, theirs in ((state.weights, expected.weights), (state.momentum, expected.momentum)):
        assert ours.keys() == theirs.keys()
        for name, tensor in theirs.items():
            assert ours[name].dtype == tensor.dtype
            assert torch.equal(ours[name], tensor)
