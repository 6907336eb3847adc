"""Callbacks of training, called between two steps, and the errors that end it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lab.runs.epochs import LayerStatistics, TrainingState


class TrainingStoppedError(Exception):
    """``should_stop`` returned True; every report made before remains valid."""


class DivergedError(Exception):
    """A run's loss is no longer finite."""

    def __init__(self, *, run_index: int, epoch: int, learning_rate: float) -> None:
        super().__init__(
            f"The loss was no longer finite after epoch {epoch}; try a learning rate below {learning_rate:g}."
        )
        self.run_index = run_index


@dataclass(frozen=True)
class Lane:
    """The part of the device that an array trains on: CPU threads, and its share of the device, 0–1."""

    num_threads: int
    share: float = 1.0


class Callbacks(Protocol):
    """The functions that training calls between two steps."""

    @property
    def is_probing(self) -> bool:
        """Return whether to measure layers over the first epoch."""

    def should_stop(self) -> bool:
        """Return whether to stop before the next step."""

    def on_checkpoint(self, states: Mapping[int, TrainingState]) -> None:
        """Store, by run index, the states within an epoch of runs that train in step."""

    def on_probe(self, statistics: Mapping[int, Sequence[LayerStatistics]]) -> None:
        """Store, by run index, the layers of runs that train in step, at one step."""
