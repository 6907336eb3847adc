"""The queued job: claim the runs, train them, record every epoch."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session

from lab.database.engine import Database
from lab.datasets.load import Dataset, load_dataset
from lab.errors import LabError
from lab.experiments.configs import RunConfig
from lab.queue.job_queue import JobQueue, StopWork
from lab.runs.attempts import begin_job, lay_down_job, note_problem
from lab.runs.epochs import EpochReport, TrainingState
from lab.runs.progress import (
    has_all_runs,
    list_open_runs,
    load_state,
    record_checkpoint,
    record_epoch,
    record_failure,
)
from lab.runs.queueing import queue_apart, retry_later
from worker.engines.compilation import EngineUnavailableError
from worker.engines.variants import Workbench
from worker.training.callbacks import DivergedError, TrainingStoppedError
from worker.training.train import RunBrokeOffError, train_in_step
from worker.watchdog import HangWatch

logger = logging.getLogger(__name__)

# How often a worker looks whether its runs are still its own.
CONTROL_SECONDS = 0.5
# Between attempts to reach a lost database, growing.
DATABASE_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

# Lost, full, read-only or restarting: all may pass.
PASSING_DATABASE_ERRORS = (OperationalError, InterfaceError, InternalError)

T = TypeVar("T")


class DamagedCheckpointError(Exception):
    """A run's checkpoint cannot be read."""

    def __init__(self, *, run_id: int) -> None:
        super().__init__(
            f"The checkpoint of run {run_id} is damaged, so it cannot go on; submit its configuration again."
        )
        self.run_id = run_id


@dataclass(frozen=True, kw_only=True)
class TrainerSettings:
    """What a trainer trains on, and when it gives up on a device."""

    workbench: Workbench
    data_dir: Path
    hang_timeout_seconds: float = 300.0


class Trainer:
    """Performs jobs on one device, one at a time; keeps the data set of the last one on the device."""

    def __init__(
        self, database: Database, queue: JobQueue, *, settings: TrainerSettings, stop: threading.Event
    ) -> None:
        self._database = database
        self._queue = queue
        self.workbench = settings.workbench
        self._data_dir = settings.data_dir
        self.stop = stop
        self._data: Dataset | None = None
        self.watch = HangWatch(timeout_seconds=settings.hang_timeout_seconds)
        self.job_id: str | None = None
        self.is_device_lost = False

    def perform(self, job_id: str) -> None:
        """Train the runs of one job from where they stand to their last epoch.

        A run that cannot be trained is recorded as failed, with the reason; the others of its job go on. A
        run that is cancelled, paused or deleted meanwhile is let go of. What fails for a reason that may pass
        is queued again.

        Raises:
            StopWork: the worker is to stop; all recorded epochs stand, and the steps since.
        """
        self.job_id = job_id
        device = self.workbench.description
        try:
            with self.watch.watch_job():
                self._transact(lambda session: begin_job(session, job_id, device=device))
                while pending := self._transact(lambda session: list_open_runs(session, job_id)):
                    self._attempt(job_id, pending)
        finally:
            self.job_id = None

    def _attempt(self, job_id: str, pending: list[tuple[int, RunConfig]]) -> None:
        """Train ``pending`` until done, or until one of them fails; whatever happens is recorded."""
        try:
            self._train(job_id, pending)
        except TrainingStoppedError:
            if self.stop.is_set():
                self._transact(lambda session: lay_down_job(session, job_id))
                raise StopWork from None
        except DamagedCheckpointError as error:
            self._record_failure(error.run_id, job_id=job_id, reason=str(error))
        except DivergedError as error:
            run_id, _ = pending[error.run_index]
            self._record_failure(run_id, job_id=job_id, reason=str(error))
        except RunBrokeOffError as error:
            broken = [pending[index] for index in error.run_indices]
            logger.exception("Training runs %s broke off", [run_id for run_id, _ in broken])
            self._handle_error(error.reason, job_id, broken)
        except Exception as error:
            logger.exception("Training runs %s broke off", [run_id for run_id, _ in pending])
            self._handle_error(error, job_id, pending)

    def _handle_error(self, error: Exception, job_id: str, broken: list[tuple[int, RunConfig]]) -> None:
        is_explained = isinstance(error, LabError | EngineUnavailableError)
        reason = str(error) if is_explained else f"{type(error).__name__}: {error}"
        if _is_out_of_memory(error) or isinstance(error, EngineUnavailableError):
            # There may be room later, and another worker may have the engine.
            self._transact(lambda session: retry_later(session, self._queue, job_id, problem=reason))
        elif isinstance(error, torch.AcceleratorError):
            # Nothing can be done with the device in this process any more; another must go on.
            self._transact(lambda session: note_problem(session, job_id, problem=reason))
            self.is_device_lost = True
            self.stop.set()
            raise StopWork from error
        elif len(broken) > 1:
            # One of them may be to blame; each by itself will tell.
            self._transact(lambda session: queue_apart(session, self._queue, job_id))
        else:
            for run_id, _ in broken:
                self._record_failure(run_id, job_id=job_id, reason=reason)

    def _train(self, job_id: str, pending: list[tuple[int, RunConfig]]) -> None:
        configs = [config for _, config in pending]
        data = self._load_data(configs[0].dataset)
        states = [self._load_state(run_id) for run_id, _ in pending]
        reports = train_in_step(
            configs,
            data,
            states=states,
            workbench=self.workbench,
            should_stop=self._watch_job(job_id, run_ids=[run_id for run_id, _ in pending]),
            on_checkpoint=lambda states: self._record_checkpoints(
                {pending[index][0]: state for index, state in states.items()}, job_id=job_id
            ),
        )
        # Closed at once when recording fails: the lanes must not train on.
        with closing(reports):
            for together in reports:
                self._record_epochs(
                    [(*pending[report.run_index], report) for report in together], job_id=job_id
                )

    def _watch_job(self, job_id: str, *, run_ids: list[int]) -> Callable[[], bool]:
        """Tells, asked before every step, whether the worker is to stop or has lost one of the job's runs."""
        next_look = time.monotonic() + CONTROL_SECONDS

        def should_stop() -> bool:
            nonlocal next_look
            self.watch.step()
            if self.stop.is_set():
                return True
            if time.monotonic() < next_look:
                return False
            next_look = time.monotonic() + CONTROL_SECONDS
            return not self._transact(lambda session: has_all_runs(session, job_id, run_ids))

        return should_stop

    def _transact(self, operation: Callable[[Session], T]) -> T:
        """Do it in a transaction, again and again as long as the database cannot be used.

        What is in hand is kept meanwhile: a full disk or a database that restarts costs nothing but time.
        """
        num_failures = 0
        while True:
            self.watch.keep_alive()
            try:
                with self._database.transaction() as session:
                    return operation(session)
            except PASSING_DATABASE_ERRORS as error:
                seconds = DATABASE_RETRY_SECONDS[min(num_failures, len(DATABASE_RETRY_SECONDS) - 1)]
                num_failures += 1
                logger.error("The database cannot be used (%s); trying again in %g s", error.orig, seconds)
                if self.stop.wait(seconds):
                    raise StopWork from error

    def _load_data(self, name: str) -> Dataset:
        if self._data is None or self._data.info.name != name:
            # Two data sets at once would be memory for nothing.
            self._data = None
            # A slow download is no hung device; one that stops fails by itself.
            with self.watch.rest():
                self._data = load_dataset(name, data_dir=self._data_dir).to(self.workbench.device)
        return self._data

    def _load_state(self, run_id: int) -> TrainingState | None:
        try:
            return self._transact(lambda session: load_state(session, run_id))
        except ValueError as error:
            raise DamagedCheckpointError(run_id=run_id) from error

    def _record_epochs(self, ended: list[tuple[int, RunConfig, EpochReport]], *, job_id: str) -> None:
        """Record an epoch that runs ended together: all of it or nothing, so that they stay in step."""

        def record(session: Session) -> None:
            for run_id, config, report in ended:
                is_last = report.epoch == config.epochs
                record_epoch(session, run_id, job_id=job_id, report=report, is_last=is_last)

        self._transact(record)
        for run_id, config, report in ended:
            logger.info(
                "run %d (%s, seed %d): epoch %d of %d, test accuracy %.4f, %.1f s",
                run_id,
                config.label,
                config.seed,
                report.epoch,
                config.epochs,
                report.test_accuracy,
                report.seconds,
            )

    def _record_checkpoints(self, states: Mapping[int, TrainingState], *, job_id: str) -> None:
        def record(session: Session) -> None:
            for run_id, state in states.items():
                record_checkpoint(session, run_id, job_id=job_id, state=state)

        self._transact(record)

    def _record_failure(self, run_id: int, *, job_id: str, reason: str) -> None:
        self._transact(lambda session: record_failure(session, run_id, job_id=job_id, reason=reason))


def _is_out_of_memory(error: Exception) -> bool:
    # On the CPU, PyTorch has no class of its own for it.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
