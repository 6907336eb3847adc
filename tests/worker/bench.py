"""A trainer on a real database and a tiny data set in MNIST's files: what its runs give, what befalls it."""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import torch

from lab.database.engine import Database
from lab.database.tables import EpochMetric, Run
from lab.experiments.configs import RunConfig
from lab.experiments.planning import ExperimentSpec
from lab.queue.job_queue import JobQueue
from lab.runs.control import submit_experiment
from lab.runs.epochs import LayerStatistics
from lab.runs.layer_statistics import read_layer_statistics
from lab.runs.predictions import read_log_probabilities
from lab.runs.records import (
    ExperimentRecord,
    RunRecord,
    read_experiment,
    read_metrics,
    read_weights,
)
from tests.conftest import CACHE_DIR
from worker.engines.interface import Batch
from worker.engines.variants import STACKED, Backend, set_up_backend
from worker.jobs import Trainer
from worker.training.run_array import RunArray

CPU = torch.device("cpu")
STEPS_PER_EPOCH = 3
# Before each step, and before the one batch of the training and of the test set.
ASKED_PER_EPOCH = STEPS_PER_EPOCH + 2

Result = tuple[list[tuple[float | None, ...]], bytes, bytes, list[LayerStatistics]]


def make_backend(*, num_threads: int = 1, variant: str | None = None) -> Backend:
    """This machine's processor as a worker with so many threads would use it."""
    backend = set_up_backend(CPU, cache_dir=CACHE_DIR)
    return replace(backend, num_threads=num_threads, variant=variant or backend.variant)


class _FusingBackend(Backend):
    def is_fusing(self, variant: str) -> bool:
        return variant == STACKED


def make_fusing_backend() -> Backend:
    """The processor as a GPU would be used: runs of one shape are trained as one network."""
    usual = make_backend()
    return _FusingBackend(device=CPU, num_threads=1, cache_dir=usual.cache_dir, variant=STACKED)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where the tests' runs are queued, trained and read."""

    database: Database
    queue: JobQueue
    data_dir: Path

    def submit(self, *configs: dict[str, Any]) -> ExperimentRecord:
        """Queue runs of these configurations, two epochs of three steps unless they say otherwise."""
        defaults = {"dataset": "mnist", "schedule": "constant", "epochs": 2, "batch_size": 32}
        runs = tuple(RunConfig(**{**defaults, **config}) for config in configs)
        spec = ExperimentSpec(name="x", dataset="mnist", preset=None, runs=runs)
        with self.database.transaction() as session:
            experiment_id = submit_experiment(session, self.queue, spec=spec, request={})
        return self.read(experiment_id)

    def read(self, experiment_id: int) -> ExperimentRecord:
        with self.database.transaction() as session:
            return read_experiment(session, experiment_id)

    def read_row(self, run: RunRecord) -> Run:
        with self.database.transaction() as session:
            return session.get_one(Run, run.id)

    def make_trainer(self, *, stop: threading.Event | None = None, backend: Backend | None = None) -> Trainer:
        return Trainer(
            self.database,
            self.queue,
            backend=backend or make_backend(),
            data_dir=self.data_dir,
            stop=stop or threading.Event(),
        )

    def perform(
        self,
        runs: Sequence[RunRecord],
        *,
        stop: threading.Event | None = None,
        backend: Backend | None = None,
    ) -> None:
        """Perform the job that the first of these runs has now, as one job for all of them."""
        job_id = self.read_row(runs[0]).job_id
        with self.database.transaction() as session:
            run_ids = [run.id for run in runs]
            session.execute(sa.update(Run).where(Run.id.in_(run_ids)).values(job_id=job_id))
        self.make_trainer(stop=stop, backend=backend).perform(str(job_id))

    def read_figures(self, run: RunRecord) -> list[tuple[float | None, ...]]:
        """The run's metrics, all but their durations."""
        columns = EpochMetric.__table__.columns
        names = [column.key for column in columns if column.key not in ("run_id", "seconds")]
        with self.database.transaction() as session:
            metrics = read_metrics(session, [run.id])[run.id]
            return [tuple(getattr(metric, name) for name in names) for metric in metrics]

    def read_result(self, run: RunRecord) -> Result:
        """All that a completed run leaves: figures, weights, test answers, the layers of its first epoch."""
        (now,) = (each for each in self.read(run.experiment_id).runs if each.id == run.id)
        assert now.status == "completed", now.error
        with self.database.transaction() as session:
            answers = read_log_probabilities(session, now).tobytes()
            layers = read_layer_statistics(session, [run.id])[run.id]
            return self.read_figures(run), read_weights(session, now), answers, layers


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


class Disk:
    """The disk under a SQLite database: full or read-only to all connections, from ``fail`` to ``repair``."""

    FAULTS = {  # noqa: RUF012
        # The errors are SQLite's own: "database or disk is full", "attempt to write a readonly database".
        "full": ("PRAGMA max_page_count=1", "database or disk is full"),
        "read-only": ("PRAGMA query_only=ON", "attempt to write a readonly database"),
    }

    def __init__(self, database: Database) -> None:
        self._fault: str | None = None
        sa.event.listen(database.engine, "begin", self._set_limits)

    def fail(self, fault: str) -> None:
        """Fail from the next transaction on."""
        self._fault = self.FAULTS[fault][0]

    def repair(self) -> None:
        self._fault = None

    def _set_limits(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only=OFF")
        connection.exec_driver_sql("PRAGMA max_page_count=1073741823")
        if self._fault:
            connection.exec_driver_sql(self._fault)


def break_steps(
    monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception], *, is_broken: Callable[[int], bool]
) -> None:
    """Have those training steps raise, counted from 1 over all runs and attempts."""
    take_step = RunArray.step
    numbers = itertools.count(1)

    def step(array: RunArray, batch: Batch) -> None:
        if is_broken(next(numbers)):
            raise error()
        take_step(array, batch)

    monkeypatch.setattr(RunArray, "step", step)
