"""What training and its caller tell each other between two steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lab.runs.epochs import TrainingState


class TrainingStoppedError(Exception):
    """``should_stop`` said so; what was reported before stands."""


class DivergedError(Exception):
    """A run's loss is no longer a number."""

    def __init__(self, *, run_index: int, epoch: int, learning_rate: float) -> None:
        super().__init__(
            f"The loss was no longer finite after epoch {epoch}; try a learning rate below {learning_rate:g}."
        )
        self.run_index = run_index


@dataclass(frozen=True)
class Lane:
    """What an array has to train with: threads on a CPU, and its share of the device, 0–1."""

    num_threads: int
    share: float = 1.0


class Watch(Protocol):
    """Who is told of each step."""

    def should_stop(self) -> bool:
        """Whether to stop here."""

    def on_checkpoint(self, states: Mapping[int, TrainingState]) -> None:
        """Take over, by run index, the states in the middle of an epoch of runs that train in step."""
