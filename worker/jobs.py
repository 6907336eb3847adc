"""Jobs: claim the runs of a job, train them, record every epoch."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import torch
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session

from lab.database.engine import Database
from lab.datasets.load import Dataset, load_dataset
from lab.errors import LabError
from lab.queue.job_queue import JobQueue, StopWork
from lab.runs.attempts import begin_attempt, note_problem, take_back_attempt
from lab.runs.epochs import EpochReport, LayerStatistics, TrainingState
from lab.runs.progress import (
    PendingRun,
    list_pending_runs,
    load_state,
    owns_all_runs,
    record_checkpoint,
    record_epoch,
    record_failure,
    record_layer_statistics,
)
from lab.runs.queueing import queue_apart, retry_later
from lab.statistics.calibration import Calibration, measure_calibration
from worker.engines.compilation import EngineUnavailableError
from worker.engines.variants import Backend
from worker.training.callbacks import DivergedError, TrainingStoppedError
from worker.training.train import RunsFailedError, train
from worker.watchdog import Watchdog

logger = logging.getLogger(__name__)

# Time between a worker's checks that its runs still belong to its job.
CONTROL_SECONDS = 0.5
# Growing delays between attempts to reach a lost database.
DATABASE_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

# The database is lost, full, read-only or restarting: all of it may pass.
TRANSIENT_DATABASE_ERRORS = (OperationalError, InterfaceError, InternalError)

P = ParamSpec("P")
T = TypeVar("T")


class DamagedCheckpointError(Exception):
    """A run's checkpoint cannot be read."""

    def __init__(self, *, run_id: int) -> None:
        super().__init__(f"The checkpoint of run {run_id} is damaged; submit its configuration again.")
        self.run_id = run_id


class Trainer:
    """Performs jobs on one device, one at a time; keeps the last job's data set on the device."""

    def __init__(
        self,
        database: Database,
        queue: JobQueue,
        *,
        backend: Backend,
        data_dir: Path,
        stop: threading.Event,
        hang_timeout_seconds: float = 300.0,
    ) -> None:
        self._database = database
        self._queue = queue
        self.backend = backend
        self._data_dir = data_dir
        self.stop = stop
        self._data: Dataset | None = None
        self.watchdog = Watchdog(timeout_seconds=hang_timeout_seconds)
        self.job_id: str | None = None
        self.is_device_lost = False

    def perform(self, job_id: str) -> None:
        """Train the runs of one job from their last checkpoints to their last epochs.

        A run that cannot be trained is recorded as failed, with the reason; the others of its job continue. A
        run that is cancelled, paused or deleted meanwhile is dropped. What fails for a reason that may pass
        is queued again.

        Raises:
            StopWork: the worker was told to stop; every recorded epoch and checkpoint is kept.
        """
        self.job_id = job_id
        try:
            with self.watchdog.watch_job():
                self._transact(begin_attempt, job_id, device=self.backend.description)
                while pending := self._transact(list_pending_runs, job_id):
                    self._attempt(job_id, pending)
        finally:
            self.job_id = None

    def _attempt(self, job_id: str, pending: Sequence[PendingRun]) -> None:
        """Train ``pending`` to the end, or until one of them fails; record what happened."""
        try:
            self._train(job_id, pending)
        except TrainingStoppedError:
            if self.stop.is_set():
                self._transact(take_back_attempt, job_id)
                raise StopWork from None
        except DamagedCheckpointError as error:
            self._transact(record_failure, error.run_id, job_id=job_id, reason=str(error))
        except DivergedError as error:
            self._transact(record_failure, pending[error.run_index].id, job_id=job_id, reason=str(error))
        except RunsFailedError as error:
            self._handle_error(error.reason, job_id, [pending[index] for index in error.run_indices])
        except Exception as error:
            self._handle_error(error, job_id, pending)

    def _handle_error(self, error: Exception, job_id: str, failed: Sequence[PendingRun]) -> None:
        logger.error("Training runs %s failed", [run.id for run in failed], exc_info=error)
        is_explained = isinstance(error, LabError | EngineUnavailableError)
        reason = str(error) if is_explained else f"{type(error).__name__}: {error}"
        if _is_out_of_memory(error) or isinstance(error, EngineUnavailableError):
            # There may be room later, and another worker may have the engine.
            self._transact(retry_later, self._queue, job_id, problem=reason)
        elif isinstance(error, torch.AcceleratorError):
            # The device is lost to this process; another must go on.
            self._transact(note_problem, job_id, problem=reason)
            self.is_device_lost = True
            self.stop.set()
            raise StopWork from error
        elif len(failed) > 1:
            # One of them may be the cause; training each by itself will tell.
            self._transact(queue_apart, self._queue, job_id)
        else:
            for run in failed:
                self._transact(record_failure, run.id, job_id=job_id, reason=reason)

    def _train(self, job_id: str, pending: Sequence[PendingRun]) -> None:
        def record_checkpoints(states: Mapping[int, TrainingState]) -> None:
            self._transact(
                _record_checkpoints,
                {pending[index].id: state for index, state in states.items()},
                job_id=job_id,
            )

        def record_probe(statistics: Mapping[int, Sequence[LayerStatistics]]) -> None:
            self._transact(
                _record_probe,
                {pending[index].id: layers for index, layers in statistics.items()},
                job_id=job_id,
            )

        reports = train(
            [run.config for run in pending],
            self._load_data(pending[0].config.dataset),
            states=[self._load_state(run.id) for run in pending],
            backend=self.backend,
            should_stop=self._make_stop_check(job_id, run_ids=[run.id for run in pending]),
            on_checkpoint=record_checkpoints,
            on_probe=record_probe,
        )
        # Closed at once when recording fails: the lanes must not train on.
        with closing(reports):
            for together in reports:
                ended = [(pending[report.run_index], report) for report in together]
                calibrations = {
                    run.id: self._measure_calibration(run, report)
                    for run, report in ended
                    if report.epoch == run.config.epochs
                }
                self._transact(_record_epochs, ended, job_id=job_id, calibrations=calibrations)
                for run, report in ended:
                    logger.info(
                        "run %d (%s, seed %d): epoch %d of %d, test accuracy %.4f, %.1f s",
                        run.id,
                        run.config.label,
                        run.config.seed,
                        report.epoch,
                        run.config.epochs,
                        report.test_accuracy,
                        report.seconds,
                    )

    def _make_stop_check(self, job_id: str, *, run_ids: list[int]) -> Callable[[], bool]:
        """Return a function that tells, before each step, whether to stop or a run has left the job."""
        next_check = time.monotonic() + CONTROL_SECONDS

        def should_stop() -> bool:
            nonlocal next_check
            self.watchdog.step()
            if self.stop.is_set():
                return True
            if time.monotonic() < next_check:
                return False
            next_check = time.monotonic() + CONTROL_SECONDS
            return not self._transact(owns_all_runs, job_id, run_ids)

        return should_stop

    def _transact(
        self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call ``operation`` in a transaction, again and again while the database cannot be used.

        Results stay in memory meanwhile: a full disk or a restarting database costs nothing but time.
        """
        num_failures = 0
        while True:
            self.watchdog.keep_alive()
            try:
                with self._database.transaction() as session:
                    return operation(session, *args, **kwargs)
            except TRANSIENT_DATABASE_ERRORS as error:
                seconds = DATABASE_RETRY_SECONDS[min(num_failures, len(DATABASE_RETRY_SECONDS) - 1)]
                num_failures += 1
                logger.error("The database cannot be used (%s); trying again in %g s", error.orig, seconds)
                if self.stop.wait(seconds):
                    raise StopWork from error

    def _load_data(self, name: str) -> Dataset:
        if self._data is None or self._data.info.name != name:
            # Two data sets at once would waste memory.
            self._data = None
            # A slow download is not a hung device; a stalled one fails by itself.
            with self.watchdog.suspend():
                self._data = load_dataset(name, data_dir=self._data_dir).to(self.backend.device)
        return self._data

    def _measure_calibration(self, run: PendingRun, report: EpochReport) -> Calibration:
        labels = self._load_data(run.config.dataset).test.labels.cpu().numpy()
        return measure_calibration(report.test_log_probabilities.cpu().numpy(), labels)

    def _load_state(self, run_id: int) -> TrainingState | None:
        try:
            return self._transact(load_state, run_id)
        except ValueError as error:
            raise DamagedCheckpointError(run_id=run_id) from error


def _record_epochs(
    session: Session,
    ended: Sequence[tuple[PendingRun, EpochReport]],
    *,
    job_id: str,
    calibrations: Mapping[int, Calibration],
) -> None:
    """Record an epoch that runs ended together, all of it or nothing, so that they stay in step.

    ``calibrations`` has the runs, by id, of which it is the last.
    """
    for run, report in ended:
        record_epoch(
            session,
            run.id,
            job_id=job_id,
            report=report,
            is_last=run.id in calibrations,
            calibration=calibrations.get(run.id),
        )


def _record_checkpoints(session: Session, states: Mapping[int, TrainingState], *, job_id: str) -> None:
    for run_id, state in states.items():
        record_checkpoint(session, run_id, job_id=job_id, state=state)


def _record_probe(
    session: Session, statistics: Mapping[int, Sequence[LayerStatistics]], *, job_id: str
) -> None:
    for run_id, layers in statistics.items():
        record_layer_statistics(session, run_id, job_id=job_id, statistics=layers)


def _is_out_of_memory(error: Exception) -> bool:
    # On the CPU, PyTorch has no class of its own for it.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
