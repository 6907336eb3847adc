"""The queued job on a real database and a real, tiny data set in MNIST's files."""

import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import torch
from torchvision import datasets as torchvision_datasets

from lab.configs import RunConfig
from lab.database import Database
from lab.datasets import Dataset, ImageSet, load_dataset
from lab.errors import SettingsError
from lab.experiment_control import submit_experiment
from lab.experiment_specs import ExperimentSpec
from lab.job_queue import JobQueue, StopWork
from lab.records import (
    ExperimentRecord,
    RunRecord,
    read_experiment,
    read_log_probabilities,
    read_metrics,
    read_weights,
)
from lab.tables import Checkpoint, EpochMetric, Experiment, Run
from worker.jobs import Trainer, choose_device, describe_device
from worker.training import train

CPU = torch.device("cpu")
STEPS_PER_EPOCH = 3

Submit = Callable[..., ExperimentRecord]


class CalledOff(threading.Event):
    """A stop that does something when it has been asked ``calls`` times: by default it is set."""

    def __init__(self, calls: int, action: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._remaining = calls
        self._action = action or self.set

    def is_set(self) -> bool:
        if self._remaining == 0:
            self._action()
        self._remaining -= 1
        return super().is_set()


@pytest.fixture(scope="module")
def data_dir(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose MNIST is the tiny data set."""
    folder = tmp_path_factory.mktemp("data")
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem, part in (("train", tiny.train), ("t10k", tiny.test)):
        write_idx(raw / f"{stem}-images-idx3-ubyte", 2051, part.images)
        write_idx(raw / f"{stem}-labels-idx1-ubyte", 2049, part.labels.to(torch.uint8))
    return folder


@pytest.fixture
def submit(database: Database) -> Iterator[Submit]:
    """Queue runs of the given configurations, each two epochs of three steps unless it says otherwise."""
    queue = JobQueue(database)

    def submit_runs(*configs: dict[str, Any]) -> ExperimentRecord:
        defaults = {"dataset": "mnist", "schedule": "constant", "epochs": 2, "batch_size": 32}
        runs = tuple(RunConfig(**{**defaults, **config}) for config in configs)
        spec = ExperimentSpec(name="x", dataset="mnist", preset=None, runs=runs)
        with database.transaction() as session:
            experiment_id = submit_experiment(session, queue, spec=spec, request={})
        return read_again(database, experiment_id)

    yield submit_runs
    queue.close()


def write_idx(path: Path, magic: int, values: torch.Tensor) -> None:
    header = struct.pack(f">{1 + values.dim()}I", magic, *values.shape)
    path.write_bytes(header + values.numpy().tobytes())


def read_again(database: Database, experiment_id: int) -> ExperimentRecord:
    with database.transaction() as session:
        return read_experiment(session, experiment_id)


def perform(
    database: Database, data_dir: Path, runs: list[RunRecord], *, stop: threading.Event | None = None
) -> None:
    trainer = Trainer(database, device=CPU, data_dir=data_dir, stop=stop or threading.Event())
    # One job for all of them, as a bundle of runs has.
    with database.transaction() as session:
        job_id = session.get_one(Run, runs[0].id).job_id
        run_ids = [run.id for run in runs]
        session.execute(sa.update(Run).where(Run.id.in_(run_ids)).values(job_id=job_id))
    trainer.perform(str(job_id))


def read_all_figures(database: Database, run: RunRecord) -> list[tuple[float | None, ...]]:
    """The run's metrics, all but their durations."""
    names = [
        column.key for column in EpochMetric.__table__.columns if column.key not in ("run_id", "seconds")
    ]
    with database.transaction() as session:
        metrics = read_metrics(session, [run.id])[run.id]
        return [tuple(getattr(metric, name) for name in names) for metric in metrics]


def read_result(database: Database, run: RunRecord) -> tuple[bytes, bytes]:
    with database.transaction() as session:
        return read_weights(session, run), read_log_probabilities(session, run).tobytes()


class TestPerform:
    def test_records_every_epoch_of_every_run(
        self, database: Database, data_dir: Path, submit: Submit
    ) -> None:
        experiment = submit({"normalization": "batch"}, {"normalization": "layer", "epochs": 3})
        perform(database, data_dir, experiment.runs)
        after = read_again(database, experiment.id)
        assert [(run.status, run.epoch) for run in after.runs] == [("completed", 2), ("completed", 3)]
        assert after.status == "completed"
        assert after.progress == 1
        for run in after.runs:
            assert run.device == describe_device(CPU)
            assert run.started_at is not None
            assert run.finished_at is not None
            assert [figures[0] for figures in read_all_figures(database, run)] == list(
                range(1, run.epoch + 1)
            )

    def test_records_what_training_gives(
        self, database: Database, data_dir: Path, submit: Submit, tiny: Dataset
    ) -> None:
        experiment = submit({"dropout": 0.1, "seed": 3, "validation_size": 16})
        perform(database, data_dir, experiment.runs)
        (run,) = read_again(database, experiment.id).runs
        last = list(train([run.config], tiny))[-1]
        assert run.last_metric is not None
        for name in ("train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy"):
            assert getattr(run.last_metric, name) == getattr(last, name)
        with database.transaction() as session:
            answers = torch.from_numpy(read_log_probabilities(session, run).copy())
        assert torch.equal(answers, last.test_log_probabilities)
        right = (answers.argmax(dim=1) == tiny.test.labels).double().mean()
        assert float(right) == run.last_metric.test_accuracy

    def test_performing_a_finished_job_again_changes_nothing(
        self, database: Database, data_dir: Path, submit: Submit
    ) -> None:
        experiment = submit({})
        perform(database, data_dir, experiment.runs)
        before = read_again(database, experiment.id)
        perform(database, data_dir, experiment.runs)
        assert repr(read_again(database, experiment.id).runs[0].finished_at) == repr(
            before.runs[0].finished_at
        )
        assert before.runs[0].epoch == 2


class TestStop:
    @pytest.mark.parametrize(("asked", "epochs"), [(0, 0), (2, 0), (STEPS_PER_EPOCH, 1), (5, 1)])
    def test_lays_the_job_down_and_another_worker_finishes_it_bit_for_bit(
        self, database: Database, data_dir: Path, submit: Submit, asked: int, epochs: int
    ) -> None:
        recipe = {"dropout": 0.1, "schedule": "onecycle", "l1": 1e-4}
        whole, interrupted = submit(recipe, recipe).runs
        perform(database, data_dir, [whole])
        with pytest.raises(StopWork):
            perform(database, data_dir, [interrupted], stop=CalledOff(asked))
        (_, laid_down) = read_again(database, interrupted.experiment_id).runs
        assert laid_down.epoch == epochs
        assert (laid_down.finished_at, laid_down.error) == (None, None)
        perform(database, data_dir, [interrupted])
        first, second = read_again(database, interrupted.experiment_id).runs
        assert (first.status, second.status) == ("completed", "completed")
        assert read_all_figures(database, second) == read_all_figures(database, first)
        assert read_result(database, second) == read_result(database, first)


class TestFailure:
    def test_diverged_run_fails_with_its_reason_and_the_others_complete(
        self, database: Database, data_dir: Path, submit: Submit
    ) -> None:
        diverging = {"normalization": "none", "learning_rate": 10.0, "l2": 1.0}
        experiment = submit({"seed": 1}, diverging, {"seed": 2})
        perform(database, data_dir, experiment.runs)
        first, failed, third = read_again(database, experiment.id).runs
        assert (first.status, first.epoch, third.status, third.epoch) == ("completed", 2, "completed", 2)
        assert failed.status == "failed"
        assert failed.error == "The loss was no longer finite after epoch 1; try a learning rate below 10."
        # Having to start over beside the others has not changed them.
        alone = submit({"seed": 1})
        perform(database, data_dir, alone.runs)
        assert read_all_figures(database, alone.runs[0]) == read_all_figures(database, first)

    def test_data_set_that_cannot_be_had_is_named(
        self, database: Database, tmp_path: Path, submit: Submit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(torchvision_datasets.KMNIST, "mirrors", ["http://127.0.0.1:1/"])
        experiment = submit({"dataset": "kmnist"})
        perform(database, tmp_path, experiment.runs)
        (run,) = read_again(database, experiment.id).runs
        assert run.status == "failed"
        assert str(run.error).startswith("The data set kmnist is not in LAB_DATA_DIR")

    @pytest.mark.parametrize("column", ["weights", "training_state"])
    def test_damaged_checkpoint_fails_the_run_with_a_reason(
        self, database: Database, data_dir: Path, submit: Submit, column: str
    ) -> None:
        experiment = submit({})
        with pytest.raises(StopWork):
            perform(database, data_dir, experiment.runs, stop=CalledOff(STEPS_PER_EPOCH))
        with database.transaction() as session:
            session.execute(sa.update(Checkpoint).values({column: b"\x10" + bytes(30)}))
        perform(database, data_dir, experiment.runs)
        (run,) = read_again(database, experiment.id).runs
        assert (run.status, run.epoch) == ("failed", 1)
        assert run.error

    def test_run_deleted_while_it_trains_is_let_go(
        self, database: Database, data_dir: Path, submit: Submit
    ) -> None:
        experiment = submit({})

        def delete() -> None:
            with database.transaction() as session:
                session.delete(session.get_one(Experiment, experiment.id))

        perform(database, data_dir, experiment.runs, stop=CalledOff(1, delete))
        with database.transaction() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(EpochMetric)) == 0

    def test_run_deleted_before_is_passed_over(self, database: Database, data_dir: Path) -> None:
        trainer = Trainer(database, device=CPU, data_dir=data_dir, stop=threading.Event())
        trainer.perform("run-1")


class TestDevice:
    def test_cpu_is_the_cpu(self) -> None:
        assert choose_device("cpu") == CPU

    def test_auto_takes_cuda_where_there_is_one(self) -> None:
        expected = "cuda" if torch.cuda.is_available() else "cpu"
        assert choose_device("auto").type == expected

    def test_missing_device_is_refused_with_how_many_there_are(self) -> None:
        with pytest.raises(SettingsError, match=r"LAB_DEVICE is cuda:64, but this machine has \d+ CUDA"):
            choose_device("cuda:64")

    def test_description_tells_what_numbers_depend_on(self) -> None:
        words = describe_device(CPU)
        assert f"{torch.get_num_threads()} threads" in words
        assert f"PyTorch {torch.__version__}" in words


def test_tiny_data_set_is_read_back_as_it_was(data_dir: Path, tiny: Dataset) -> None:
    read = load_dataset("mnist", data_dir=data_dir)
    for ours, theirs in ((read.train, tiny.train), (read.test, tiny.test)):
        assert isinstance(ours, ImageSet)
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)
