"""Train networks with PyTorch alone: no database, no web.

Data flow: RunConfigs and a Dataset on the device → ``train`` → one EpochReport per run and epoch.

Every random number of a run is a function of its seed and its position (epoch, step), so the same
configuration, seed and variant give the same numbers, and a resumed run continues as if it had never
stopped. Runs train side by side: on a GPU those of one shape as one array, on a CPU each in a thread.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from lab.datasets.load import Dataset
from lab.experiments.configs import RunConfig
from lab.runs.epochs import EpochReport, LayerStatistics, TrainingState
from worker.engines.variants import Backend, set_up_backend
from worker.training.callbacks import DivergedError, Lane, TrainingStoppedError
from worker.training.run_array import RunArray

DEFAULT_CACHE_DIR = Path("var/cache")

OnCheckpoint = Callable[[Mapping[int, TrainingState]], None]
OnProbe = Callable[[Mapping[int, Sequence[LayerStatistics]]], None]


class RunsFailedError(Exception):
    """Training some of the runs raised an error, ``reason``."""

    def __init__(self, run_indices: Sequence[int], reason: Exception) -> None:
        super().__init__(f"training runs {list(run_indices)} failed: {reason}")
        self.run_indices = list(run_indices)
        self.reason = reason


def train(
    runs: Sequence[RunConfig],
    data: Dataset,
    *,
    states: Sequence[TrainingState | None] | None = None,
    backend: Backend | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_checkpoint: OnCheckpoint = lambda _states: None,
    on_probe: OnProbe | None = None,
) -> Generator[list[EpochReport], None, None]:
    """Train every run to its last epoch on the device that holds ``data``, all side by side.

    Yields the reports of the runs that ended an epoch together. ``states`` are the states to continue from,
    None for a fresh start. ``should_stop`` is called before every step and every evaluated batch.
    ``on_checkpoint`` receives, by run index, the states of runs that train in step within an epoch: every
    ``CHECKPOINT_SECONDS``, and before stopping. To continue bit for bit, store what arrives together in one
    transaction. ``on_probe`` receives, by run index, the layers of such runs at some steps of the first
    epoch; without it they are not measured. All are called from the training threads, one at a time.

    Raises:
        TrainingStoppedError: ``should_stop`` returned True.
        DivergedError: a run's loss is no longer finite; the others' states have gone to ``on_checkpoint``.
        RunsFailedError: some runs cannot continue; the others' states have gone to ``on_checkpoint``.
    """
    backend = backend or set_up_backend(data.train.images.device, cache_dir=DEFAULT_CACHE_DIR)
    arrays = _make_arrays(runs, data, states=states or [None] * len(runs), backend=backend)
    callbacks = _SharedCallbacks(should_stop, on_checkpoint, on_probe)
    unfinished = [array for array in arrays if not array.is_finished]
    if backend.num_lanes == 1 or len(unfinished) == 1:
        yield from _train_in_turn(unfinished, callbacks, lane=Lane(backend.num_threads))
    else:
        yield from _train_side_by_side(unfinished, callbacks, backend=backend)


def _make_arrays(
    runs: Sequence[RunConfig],
    data: Dataset,
    *,
    states: Sequence[TrainingState | None],
    backend: Backend,
) -> list[RunArray]:
    """Put runs of one shape, variant and position into one array where that is faster."""
    variants = [state.variant if state else backend.variant for state in states]
    groups: dict[object, list[int]] = {}
    for index, (config, state) in enumerate(zip(runs, states, strict=True)):
        position = (state.epoch, state.step) if state else (0, 0)
        network = (config.normalization, config.affine, config.groups, config.dropout > 0)
        key = (variants[index], position, network, config.batch_size, config.epochs, config.validation_size)
        groups.setdefault(key if backend.is_fusing(variants[index]) else index, []).append(index)
    arrays = []
    for indices in groups.values():
        members = [(index, runs[index]) for index in indices]
        own_states = [states[index] for index in indices]
        try:
            engine = backend.build_engine(variants[indices[0]], [config for _, config in members])
            array = RunArray(members, data, engine=engine, variant=variants[indices[0]], states=own_states)
        except Exception as error:
            raise RunsFailedError(indices, error) from error
        arrays.append(array)
    return arrays


def _train_in_turn(
    arrays: Sequence[RunArray], callbacks: "_SharedCallbacks", *, lane: Lane
) -> Iterator[list[EpochReport]]:
    """Train one epoch of each array in turn, in this thread."""
    while arrays:
        for array in arrays:
            yield _train_epoch(array, callbacks, lane=lane)
        arrays = [array for array in arrays if not array.is_finished]


def _train_side_by_side(
    arrays: Sequence[RunArray], callbacks: "_SharedCallbacks", *, backend: Backend
) -> Iterator[list[EpochReport]]:
    """Train as many arrays at once as there are lanes, an epoch of each in turn; one error stops all."""
    waiting = list(arrays)
    training: dict[Future[list[EpochReport]], RunArray] = {}
    errors: list[BaseException] = []
    with ThreadPoolExecutor(backend.num_lanes, thread_name_prefix="lane") as lanes:
        try:
            while training or (waiting and not errors):
                num_used = min(len(waiting) + len(training), backend.num_lanes)
                lane = Lane(max(1, backend.num_threads // num_used), share=1 / num_used)
                while waiting and len(training) < backend.num_lanes and not errors:
                    array = waiting.pop(0)
                    training[lanes.submit(_train_epoch, array, callbacks, lane=lane)] = array
                done, _ = wait(training, return_when=FIRST_COMPLETED)
                for future in done:
                    array = training.pop(future)
                    if error := future.exception():
                        errors.append(error)
                        # The others keep their work: they end their epoch or hand over their state.
                        callbacks.stop()
                        continue
                    yield future.result()
                    if not array.is_finished:
                        waiting.append(array)
        finally:
            # Leaving the block waits for the lanes.
            callbacks.stop()
    if errors:
        raise next((error for error in errors if not isinstance(error, TrainingStoppedError)), errors[0])


def _train_epoch(array: RunArray, callbacks: "_SharedCallbacks", *, lane: Lane) -> list[EpochReport]:
    try:
        return array.train_epoch(callbacks, lane=lane)
    except (TrainingStoppedError, DivergedError):
        raise
    except Exception as error:
        raise RunsFailedError(array.run_indices, error) from error


class _SharedCallbacks:
    """The caller's callbacks, called from one lane at a time; when one lane must stop, all must."""

    def __init__(
        self, should_stop: Callable[[], bool], on_checkpoint: OnCheckpoint, on_probe: OnProbe | None
    ) -> None:
        self._should_stop = should_stop
        self._on_checkpoint = on_checkpoint
        self._on_probe = on_probe
        self._lock = threading.Lock()
        self._is_stopped = False

    def stop(self) -> None:
        """Stop every lane before its next step."""
        self._is_stopped = True

    @property
    def is_probing(self) -> bool:
        """Return whether the caller wants layers measured."""
        return self._on_probe is not None

    def should_stop(self) -> bool:
        """Return whether the caller or another lane wants to stop."""
        with self._lock:
            self._is_stopped = self._is_stopped or self._should_stop()
            return self._is_stopped

    def on_checkpoint(self, states: Mapping[int, TrainingState]) -> None:
        """Pass states to the caller."""
        with self._lock:
            self._on_checkpoint(states)

    def on_probe(self, statistics: Mapping[int, Sequence[LayerStatistics]]) -> None:
        """Pass layer statistics to the caller."""
        with self._lock:
            if self._on_probe is not None:
                self._on_probe(statistics)
