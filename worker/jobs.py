"""The queued job: claim the runs, train them, record every epoch."""

import logging
import threading
from pathlib import Path

import torch

from lab.configs import RunConfig
from lab.database import Database
from lab.datasets import Dataset, load_dataset
from lab.epochs import TrainingState
from lab.errors import LabError, SettingsError
from lab.job_queue import StopWork
from lab.run_progress import begin_runs, load_state, record_epoch, record_failure
from worker.training import DivergedError, TrainingStoppedError, train

logger = logging.getLogger(__name__)


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

    def perform(self, run_ids: list[int]) -> None:
        """Train the runs of one job from where they stand to their last epoch.

        A run that cannot be trained is recorded as failed, with the reason; the others of its job go on.

        Raises:
            StopWork: the worker is to stop; all recorded epochs stand.
        """
        with self._database.transaction() as session:
            pending = begin_runs(session, run_ids, device=describe_device(self._device))
        while pending:
            try:
                self._train(pending)
                return
            except TrainingStoppedError:
                raise StopWork from None
            except DivergedError as error:
                run_id, _ = pending.pop(error.run_index)
                self._record_failure(run_id, reason=str(error))
            except Exception as error:
                logger.exception("Training runs %s failed", [run_id for run_id, _ in pending])
                reason = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
                for run_id, _ in pending:
                    self._record_failure(run_id, reason=reason)
                return

    def _train(self, pending: list[tuple[int, RunConfig]]) -> None:
        configs = [config for _, config in pending]
        data = self._load_data(configs[0].dataset)
        states = [self._load_state(run_id) for run_id, _ in pending]
        for report in train(configs, data, states=states, should_stop=self._stop.is_set):
            run_id, config = pending[report.run_index]
            with self._database.transaction() as session:
                record_epoch(session, run_id, report=report, is_last=report.epoch == config.epochs)
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

    def _load_data(self, name: str) -> Dataset:
        if self._data is None or self._data.info.name != name:
            self._data = load_dataset(name, data_dir=self._data_dir).to(self._device)
        return self._data

    def _load_state(self, run_id: int) -> TrainingState | None:
        with self._database.transaction() as session:
            return load_state(session, run_id)

    def _record_failure(self, run_id: int, *, reason: str) -> None:
        with self._database.transaction() as session:
            record_failure(session, run_id, reason=reason)


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
