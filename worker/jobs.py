"""The queued job: claim the runs, train them, record every epoch."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

from lab.configs import RunConfig
from lab.database import Database
from lab.datasets import Dataset, load_dataset
from lab.epochs import TrainingState
from lab.errors import LabError, SettingsError
from lab.job_queue import StopWork
from lab.run_progress import (
    begin_job,
    count_open_runs,
    load_state,
    record_checkpoint,
    record_epoch,
    record_failure,
)
from worker.training import DivergedError, TrainingStoppedError, train

logger = logging.getLogger(__name__)

# How often a worker looks whether its runs are still its own.
CONTROL_SECONDS = 0.5


class DamagedCheckpointError(Exception):
    """A run's checkpoint cannot be read."""

    def __init__(self, *, run_id: int) -> None:
        super().__init__(
            f"The checkpoint of run {run_id} is damaged, so it cannot go on; submit its configuration again."
        )
        self.run_id = run_id


class Trainer:
    """Performs jobs on one device, one at a time; keeps the data set of the last one on the device."""

    def __init__(
        self, database: Database, *, device: torch.device, data_dir: Path, stop: threading.Event
    ) -> None:
        self._database = database
        self._device = device
        self._data_dir = data_dir
        self._stop = stop
        self._data: Dataset | None = None

    def perform(self, job_id: str) -> None:
        """Train the runs of one job from where they stand to their last epoch.

        A run that cannot be trained is recorded as failed, with the reason; the others of its job go on. A
        run that is cancelled, paused or deleted meanwhile is let go of.

        Raises:
            StopWork: the worker is to stop; all recorded epochs stand, and the steps since.
        """
        while pending := self._begin(job_id):
            try:
                self._train(job_id, pending)
            except TrainingStoppedError:
                if self._stop.is_set():
                    raise StopWork from None
            except DamagedCheckpointError as error:
                self._record_failure(error.run_id, job_id=job_id, reason=str(error))
            except DivergedError as error:
                run_id, _ = pending[error.run_index]
                self._record_failure(run_id, job_id=job_id, reason=str(error))
            except Exception as error:
                logger.exception("Training runs %s failed", [run_id for run_id, _ in pending])
                reason = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
                for run_id, _ in pending:
                    self._record_failure(run_id, job_id=job_id, reason=reason)

    def _begin(self, job_id: str) -> list[tuple[int, RunConfig]]:
        with self._database.transaction() as session:
            return begin_job(session, job_id, device=describe_device(self._device))

    def _train(self, job_id: str, pending: list[tuple[int, RunConfig]]) -> None:
        configs = [config for _, config in pending]
        data = self._load_data(configs[0].dataset)
        states = [self._load_state(run_id) for run_id, _ in pending]
        reports = train(
            configs,
            data,
            states=states,
            should_stop=self._watch_job(job_id, num_runs=len(pending)),
            on_checkpoint=lambda index, state: self._record_checkpoint(
                pending[index][0], job_id=job_id, state=state
            ),
        )
        for report in reports:
            run_id, config = pending[report.run_index]
            with self._database.transaction() as session:
                is_last = report.epoch == config.epochs
                record_epoch(session, run_id, job_id=job_id, report=report, is_last=is_last)
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

    def _watch_job(self, job_id: str, *, num_runs: int) -> Callable[[], bool]:
        """Tells, asked before every step, whether the worker is to stop or has lost one of the job's runs."""
        next_look = time.monotonic() + CONTROL_SECONDS

        def should_stop() -> bool:
            nonlocal next_look
            if self._stop.is_set():
                return True
            if time.monotonic() < next_look:
                return False
            next_look = time.monotonic() + CONTROL_SECONDS
            with self._database.transaction() as session:
                return count_open_runs(session, job_id) < num_runs

        return should_stop

    def _load_data(self, name: str) -> Dataset:
        if self._data is None or self._data.info.name != name:
            self._data = load_dataset(name, data_dir=self._data_dir).to(self._device)
        return self._data

    def _load_state(self, run_id: int) -> TrainingState | None:
        with self._database.transaction() as session:
            try:
                return load_state(session, run_id)
            except ValueError as error:
                raise DamagedCheckpointError(run_id=run_id) from error

    def _record_checkpoint(self, run_id: int, *, job_id: str, state: TrainingState) -> None:
        with self._database.transaction() as session:
            record_checkpoint(session, run_id, job_id=job_id, state=state)

    def _record_failure(self, run_id: int, *, job_id: str, reason: str) -> None:
        with self._database.transaction() as session:
            record_failure(session, run_id, job_id=job_id, reason=reason)


def choose_device(setting: str) -> torch.device:
    """The device of LAB_DEVICE; auto is cuda where there is one, then the cpu.

    Raises:
        SettingsError: a CUDA device was asked for that is not there.
    """
    if setting == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(setting)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"LAB_DEVICE is {setting}, but this machine has {torch.cuda.device_count()} CUDA devices that "
            "PyTorch can use; set it to cpu or auto."
        )
    return device


def describe_device(device: torch.device) -> str:
    """The device in words, with what a run's numbers depend on."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, PyTorch {torch.__version__}"
    return f"cpu, {torch.get_num_threads()} threads, PyTorch {torch.__version__}"
