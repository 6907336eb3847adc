"""Train networks: PyTorch alone, no database, no web.

Data flow: RunConfigs and a Dataset on the device → ``train`` → one EpochReport per run and epoch.

Every random number of a run is a function of its seed and its position (epoch, step), so the same
configuration, seed and variant give the same numbers, and a run resumed from a state goes on as if it had
never stopped. Runs train side by side: on a GPU those of one shape as one array, on a CPU each in a thread.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

from lab.datasets.load import Dataset
from lab.experiments.configs import RunConfig
from lab.runs.epochs import EpochReport, TrainingState
from worker.engines.variants import Workbench, set_up_workbench
from worker.training.callbacks import DivergedError, Lane, TrainingStoppedError
from worker.training.run_array import RunArray

DEFAULT_CACHE_DIR = Path("var/cache")

TakeStates = Callable[[Mapping[int, TrainingState]], None]


class RunBrokeOffError(Exception):
    """Training some of the runs raised an error, ``reason``."""

    def __init__(self, run_indices: Sequence[int], reason: Exception) -> None:
        super().__init__(f"training runs {list(run_indices)} broke off: {reason}")
        self.run_indices = list(run_indices)
        self.reason = reason


def train(
    runs: Sequence[RunConfig],
    data: Dataset,
    *,
    states: Sequence[TrainingState | None] | None = None,
    workbench: Workbench | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_checkpoint: TakeStates = lambda _states: None,
) -> Generator[EpochReport, None, None]:
    """As ``train_in_step``, report by report."""
    reports = train_in_step(
        runs, data, states=states, workbench=workbench, should_stop=should_stop, on_checkpoint=on_checkpoint
    )
    with closing(reports):
        for together in reports:
            yield from together


def train_in_step(
    runs: Sequence[RunConfig],
    data: Dataset,
    *,
    states: Sequence[TrainingState | None] | None = None,
    workbench: Workbench | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_checkpoint: TakeStates = lambda _states: None,
) -> Generator[list[EpochReport], None, None]:
    """Train every run to its last epoch on the device that holds ``data``, all side by side.

    Gives the reports of the runs that ended an epoch together. ``states`` are the states to go on from, None
    for a fresh start. ``should_stop`` is asked before every step and every batch that is measured.
    ``on_checkpoint`` is given, by run index, the states of runs that train in step, from within an epoch:
    every ``CHECKPOINT_SECONDS``, and before stopping. Both are called from the threads that train, one at a
    time. To go on bit for bit, keep what comes together at once or not at all.

    Raises:
        TrainingStoppedError: ``should_stop`` said so.
        DivergedError: a run's loss is no longer finite; the others' states have been handed over.
        RunBrokeOffError: some runs cannot go on; the others' states have been handed over.
    """
    workbench = workbench or set_up_workbench(data.train.images.device, cache_dir=DEFAULT_CACHE_DIR)
    arrays = _make_arrays(runs, data, states=states or [None] * len(runs), workbench=workbench)
    watch = _Watch(should_stop, on_checkpoint)
    unfinished = [array for array in arrays if not array.is_finished]
    if workbench.num_lanes == 1 or len(unfinished) == 1:
        yield from _train_in_turn(unfinished, watch, lane=Lane(workbench.num_threads))
    else:
        yield from _train_side_by_side(unfinished, watch, workbench=workbench)


def _make_arrays(
    runs: Sequence[RunConfig],
    data: Dataset,
    *,
    states: Sequence[TrainingState | None],
    workbench: Workbench,
) -> list[RunArray]:
    """Runs of one shape, variant and place together where that is faster, else each by itself."""
    variants = [state.variant if state else workbench.variant for state in states]
    groups: dict[object, list[int]] = {}
    for index, (config, state) in enumerate(zip(runs, states, strict=True)):
        place = (state.epoch, state.step) if state else (0, 0)
        network = (config.normalization, config.affine, config.groups, config.dropout > 0)
        key = (variants[index], place, network, config.batch_size, config.epochs, config.validation_size)
        groups.setdefault(key if workbench.is_fusing(variants[index]) else index, []).append(index)
    arrays = []
    for indices in groups.values():
        members = [(index, runs[index]) for index in indices]
        own_states = [states[index] for index in indices]
        try:
            engine = workbench.build_engine(variants[indices[0]], [config for _, config in members])
            array = RunArray(members, data, engine=engine, variant=variants[indices[0]], states=own_states)
        except Exception as error:
            raise RunBrokeOffError(indices, error) from error
        arrays.append(array)
    return arrays


def _train_in_turn(arrays: Sequence[RunArray], watch: "_Watch", *, lane: Lane) -> Iterator[list[EpochReport]]:
    """An epoch of each in turn, in this thread."""
    while arrays:
        for array in arrays:
            yield _train_epoch(array, watch, lane=lane)
        arrays = [array for array in arrays if not array.is_finished]


def _train_side_by_side(
    arrays: Sequence[RunArray], watch: "_Watch", *, workbench: Workbench
) -> Iterator[list[EpochReport]]:
    """As many at once as there are lanes, an epoch of each in turn; when one ends with an error, all stop."""
    waiting = list(arrays)
    training: dict[Future[list[EpochReport]], RunArray] = {}
    errors: list[BaseException] = []
    with ThreadPoolExecutor(workbench.num_lanes, thread_name_prefix="lane") as lanes:
        try:
            while training or (waiting and not errors):
                num_used = min(len(waiting) + len(training), workbench.num_lanes)
                lane = Lane(max(1, workbench.num_threads // num_used), share=1 / num_used)
                while waiting and len(training) < workbench.num_lanes and not errors:
                    array = waiting.pop(0)
                    training[lanes.submit(_train_epoch, array, watch, lane=lane)] = array
                done, _ = wait(training, return_when=FIRST_COMPLETED)
                for future in done:
                    array = training.pop(future)
                    if error := future.exception():
                        errors.append(error)
                        # What the others have done is kept: they end their epoch or hand their state over.
                        watch.stop()
                        continue
                    yield future.result()
                    if not array.is_finished:
                        waiting.append(array)
        finally:
            # Leaving waits for the lanes, whatever the reason.
            watch.stop()
    if errors:
        raise next((error for error in errors if not isinstance(error, TrainingStoppedError)), errors[0])


def _train_epoch(array: RunArray, watch: "_Watch", *, lane: Lane) -> list[EpochReport]:
    try:
        return array.train_epoch(watch, lane=lane)
    except (TrainingStoppedError, DivergedError):
        raise
    except Exception as error:
        raise RunBrokeOffError(array.run_indices, error) from error


class _Watch:
    """Asks and tells the caller in one lane at a time; when one lane is to stop, all are."""

    def __init__(self, should_stop: Callable[[], bool], on_checkpoint: TakeStates) -> None:
        self._should_stop = should_stop
        self._on_checkpoint = on_checkpoint
        self._lock = threading.Lock()
        self._is_stopped = False

    def stop(self) -> None:
        """Have every lane stop before its next step."""
        self._is_stopped = True

    def should_stop(self) -> bool:
        """Whether the caller, or another lane, says so."""
        with self._lock:
            self._is_stopped = self._is_stopped or self._should_stop()
            return self._is_stopped

    def on_checkpoint(self, states: Mapping[int, TrainingState]) -> None:
        """Give the caller states."""
        with self._lock:
            self._on_checkpoint(states)
