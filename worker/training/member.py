"""One run of an array: its configuration, its schedule and its random numbers."""

import hashlib
from dataclasses import dataclass

import torch
from torch.optim import SGD

from lab.experiments.configs import RunConfig
from worker.training.schedules import Schedule, build_schedule


@dataclass(frozen=True)
class Position:
    """A position in training: ``epoch`` epochs are done, and ``step`` steps of the next."""

    epoch: int
    step: int


class Member:
    """One run of an array: everything of its own except its weights."""

    def __init__(self, config: RunConfig, *, run_index: int, num_images: int, device: torch.device) -> None:
        self.config = config
        self.run_index = run_index
        self.generator = torch.Generator(device)
        # It holds the learning rate for PyTorch's schedules.
        self._optimizer = SGD([torch.zeros(())], lr=config.learning_rate)
        self.schedule: Schedule = build_schedule(config, optimizer=self._optimizer, num_images=num_images)
        self.epoch_learning_rate = config.learning_rate

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimizer.param_groups[0]["lr"])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._optimizer.param_groups[0]["lr"] = value

    def end_step(self) -> None:
        """Advance the schedule after a step."""
        # Without gradients it does nothing, but the schedules require the optimizer to go first.
        self._optimizer.step()
        self.schedule.after_step()

    def seed_generator(self, position: Position) -> torch.Generator:
        """Seed the generator for one position and return it; step 0 is the order of the epoch's images.

        ``position.epoch`` counts from 0, ``position.step`` from 1.
        """
        key = f"{self.config.seed}/{position.epoch + 1}/{position.step}".encode()
        digest = hashlib.blake2b(key, digest_size=8).digest()
        return self.generator.manual_seed(int.from_bytes(digest, "little", signed=True))
