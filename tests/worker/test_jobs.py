"""The queued job on a real database and a real, tiny data set in MNIST's files."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import torch
from torchvision import datasets as torchvision_datasets

from lab.database.tables import Checkpoint, EpochMetric, Experiment
from lab.datasets.load import Dataset, ImageSet, load_dataset
from lab.experiments.architecture import ROWS
from lab.queue.job_queue import StopWork
from lab.runs.layer_statistics import read_layer_statistics
from lab.runs.predictions import read_log_probabilities
from lab.runs.progress import record_epoch
from tests.worker.bench import ASKED_PER_EPOCH, Bench, CalledOff, make_backend, make_fusing_backend
from tests.worker.flat import train
from worker import jobs
from worker.training import run_array

pytestmark = pytest.mark.slow


class KilledError(BaseException):
    """The end of a worker that has no time to hand anything over."""


def die() -> None:
    raise KilledError


class TestPerform:
    def test_records_every_epoch_of_every_run(self, bench: Bench) -> None:
        experiment = bench.submit({"normalization": "batch"}, {"normalization": "layer", "epochs": 3})
        bench.perform(experiment.runs)
        after = bench.read(experiment.id)
        assert [(run.status, run.epoch) for run in after.runs] == [("completed", 2), ("completed", 3)]
        assert after.status == "completed"
        assert after.progress == 1
        for run in after.runs:
            assert run.device == make_backend().description
            assert run.started_at is not None
            assert run.finished_at is not None
            assert [figures[0] for figures in bench.read_figures(run)] == list(range(1, run.epoch + 1))

    def test_records_what_training_gives(self, bench: Bench, tiny: Dataset) -> None:
        experiment = bench.submit({"dropout": 0.1, "seed": 3, "validation_size": 16})
        bench.perform(experiment.runs)
        (run,) = bench.read(experiment.id).runs
        last = list(train([run.config], tiny))[-1]
        assert run.last_metric is not None
        for name in ("train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy"):
            assert getattr(run.last_metric, name) == getattr(last, name)
        with bench.database.transaction() as session:
            answers = torch.from_numpy(read_log_probabilities(session, run).copy())
        assert torch.equal(answers, last.test_log_probabilities)
        right = (answers.argmax(dim=1) == tiny.test.labels).double().mean()
        assert float(right) == run.last_metric.test_accuracy

    def test_records_the_layers_at_steps_of_the_first_epoch(self, bench: Bench) -> None:
        experiment = bench.submit({"normalization": "none"}, {"normalization": "layer"})
        bench.perform(experiment.runs)
        for run in experiment.runs:
            *_, layers = bench.read_result(run)
            assert [layer.step for layer in layers] == [step for step in (0, 1, 3) for _ in ROWS]

    def test_performing_a_finished_job_again_changes_nothing(self, bench: Bench) -> None:
        experiment = bench.submit({})
        bench.perform(experiment.runs)
        before = bench.read(experiment.id)
        bench.perform(experiment.runs)
        after = bench.read(experiment.id)
        assert repr(after.runs[0].finished_at) == repr(before.runs[0].finished_at)
        assert before.runs[0].epoch == 2


class TestStop:
    # Held out images make it six questions an epoch: three steps, and a batch of each of three sets.
    @pytest.mark.parametrize(
        ("asked", "epochs"),
        [(0, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 1), (8, 1), (11, 1)],
        ids=["start", "step", "train set", "validation set", "test set", "next epoch", "its step", "its end"],
    )
    def test_lays_the_job_down_and_another_worker_finishes_it_bit_for_bit(
        self, bench: Bench, asked: int, epochs: int
    ) -> None:
        recipe = {"dropout": 0.1, "schedule": "onecycle", "l1": 1e-4, "validation_size": 16}
        whole, interrupted = bench.submit(recipe, recipe).runs
        bench.perform([whole])
        with pytest.raises(StopWork):
            bench.perform([interrupted], stop=CalledOff(asked))
        (_, laid_down) = bench.read(interrupted.experiment_id).runs
        assert laid_down.epoch == epochs
        assert (laid_down.finished_at, laid_down.error) == (None, None)
        bench.perform([interrupted])
        assert bench.read_result(interrupted) == bench.read_result(whole)

    # Asked the fourth time, it has measured after the last step too.
    @pytest.mark.parametrize(("asked", "num_probes"), [(1, 1), (2, 2), (3, 3)])
    @pytest.mark.parametrize("checkpoint_seconds", [-1.0, 5.0], ids=["checkpoint", "no checkpoint"])
    def test_killed_in_the_first_epoch_its_layers_are_all_there_once(
        self,
        bench: Bench,
        asked: int,
        num_probes: int,
        checkpoint_seconds: float,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(run_array, "CHECKPOINT_SECONDS", checkpoint_seconds)
        whole, killed = bench.submit({"dropout": 0.1}, {"dropout": 0.1}).runs
        bench.perform([whole])
        with pytest.raises(KilledError):
            bench.perform([killed], stop=CalledOff(asked, die))
        with bench.database.transaction() as session:
            before = read_layer_statistics(session, [killed.id])[killed.id]
        assert len(before) == num_probes * len(ROWS)

        bench.perform([killed])

        assert bench.read_result(killed) == bench.read_result(whole)

    def test_is_no_failed_attempt_however_often_it_comes(self, bench: Bench) -> None:
        experiment = bench.submit({})
        for _ in range(10):
            with pytest.raises(StopWork):
                bench.perform(experiment.runs, stop=CalledOff(0))
        bench.perform(experiment.runs)
        assert bench.read(experiment.id).status == "completed"


class TestWatch:
    def test_every_step_and_every_batch_that_is_measured_counts_as_a_move(self, bench: Bench) -> None:
        moved_at: list[float] = []
        asked_at: list[float] = []

        class Onlooker(threading.Event):
            def is_set(self) -> bool:
                idle_seconds = trainer.watchdog.idle_seconds
                assert idle_seconds is not None
                asked_at.append(time.monotonic())
                moved_at.append(asked_at[-1] - idle_seconds)
                return super().is_set()

        trainer = bench.make_trainer(stop=Onlooker())
        trainer.perform(str(bench.read_row(bench.submit({}).runs[0]).job_id))

        assert len(asked_at) == 2 * ASKED_PER_EPOCH
        # Since it was asked before.
        assert all(moved > asked for asked, moved in zip(asked_at[:-1], moved_at[1:], strict=True))
        assert trainer.watchdog.idle_seconds is None


class TestFailure:
    def test_diverged_run_fails_with_its_reason_and_the_others_complete(self, bench: Bench) -> None:
        diverging = {"normalization": "none", "learning_rate": 10.0, "l2": 1.0}
        experiment = bench.submit({"seed": 1}, diverging, {"seed": 2})
        bench.perform(experiment.runs)
        first, failed, third = bench.read(experiment.id).runs
        assert (first.status, first.epoch, third.status, third.epoch) == ("completed", 2, "completed", 2)
        assert failed.status == "failed"
        assert failed.error == "The loss was no longer finite after epoch 1; try a learning rate below 10."
        # Having to start over beside the others has not changed them.
        alone = bench.submit({"seed": 1})
        bench.perform(alone.runs)
        assert bench.read_result(alone.runs[0]) == bench.read_result(first)

    def test_runs_that_train_are_recorded_together_or_not_at_all(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A kill in the middle must not leave them out of step: they could not go on as one network."""
        whole = bench.submit({"seed": 1}, {"seed": 2})
        bench.perform(whole.runs, backend=make_fusing_backend())
        experiment = bench.submit({"seed": 1}, {"seed": 2})
        recorded: list[int] = []

        def record_and_be_killed(*arguments: Any, **options: Any) -> None:
            recorded.append(arguments[1])
            # In the second epoch, between the two.
            if len(recorded) == 4:
                raise StopWork
            record_epoch(*arguments, **options)

        with monkeypatch.context() as killing:
            killing.setattr(jobs, "record_epoch", record_and_be_killed)
            with pytest.raises(StopWork):
                bench.perform(experiment.runs, backend=make_fusing_backend())

        assert recorded == [run.id for run in experiment.runs] * 2
        assert [run.epoch for run in bench.read(experiment.id).runs] == [1, 1]
        bench.perform(experiment.runs, backend=make_fusing_backend())
        for ours, theirs in zip(experiment.runs, whole.runs, strict=True):
            assert bench.read_result(ours) == bench.read_result(theirs)

    def test_data_set_that_cannot_be_had_is_named(
        self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(torchvision_datasets.KMNIST, "mirrors", ["http://127.0.0.1:1/"])
        experiment = bench.submit({"dataset": "kmnist"})
        replace(bench, data_dir=tmp_path).perform(experiment.runs)
        (run,) = bench.read(experiment.id).runs
        assert run.status == "failed"
        assert str(run.error).startswith("The data set kmnist is not in LAB_DATA_DIR")

    @pytest.mark.parametrize("column", ["weights", "training_state"])
    def test_damaged_checkpoint_fails_the_run_with_a_reason(self, bench: Bench, column: str) -> None:
        experiment = bench.submit({})
        with pytest.raises(StopWork):
            bench.perform(experiment.runs, stop=CalledOff(ASKED_PER_EPOCH))
        with bench.database.transaction() as session:
            session.execute(sa.update(Checkpoint).values({column: b"\x10" + bytes(30)}))
        bench.perform(experiment.runs)
        (run,) = bench.read(experiment.id).runs
        assert (run.status, run.epoch) == ("failed", 1)
        assert run.error

    def test_run_deleted_while_it_trains_is_let_go(self, bench: Bench) -> None:
        experiment = bench.submit({})

        def delete() -> None:
            with bench.database.transaction() as session:
                session.delete(session.get_one(Experiment, experiment.id))

        bench.perform(experiment.runs, stop=CalledOff(1, delete))
        with bench.database.transaction() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(EpochMetric)) == 0

    def test_run_deleted_before_is_passed_over(self, bench: Bench) -> None:
        bench.make_trainer().perform("run-1")


def test_tiny_data_set_is_read_back_as_it_was(tiny_mnist_dir: Path, tiny: Dataset) -> None:
    read = load_dataset("mnist", data_dir=tiny_mnist_dir)
    for ours, theirs in ((read.train, tiny.train), (read.test, tiny.test)):
        assert isinstance(ours, ImageSet)
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)
