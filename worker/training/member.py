"""One run of an array: its configuration, its schedule and its random numbers."""

import hashlib
from dataclasses import dataclass

import torch
from torch.optim import SGD

from lab.experiments.configs import RunConfig
from worker.training.schedules import Schedule, build_schedule


@dataclass(frozen=True)
class Position:
    """``epoch`` epochs are done, and ``step`` steps of the next."""

    epoch: int
    step: int


class Member:
    """What is a run's own while it trains with others, besides its weights."""

    def __init__(self, config: RunConfig, *, run_index: int, num_images: int, device: torch.device) -> None:
        self.config = config
        self.run_index = run_index
        self.generator = torch.Generator(device)
        # It holds the learning rate for the schedules, which are PyTorch's.
        self._optimizer = SGD([torch.zeros(())], lr=config.learning_rate)
        self.schedule: Schedule = build_schedule(config, optimizer=self._optimizer, num_images=num_images)
        self.epoch_learning_rate = config.learning_rate

    @property
    def learning_rate(self) -> float:
        """That of the next step."""
        return float(self._optimizer.param_groups[0]["lr"])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._optimizer.param_groups[0]["lr"] = value

    def end_step(self) -> None:
        """The run has taken a step."""
        # Without gradients it does nothing, but the schedules insist that the optimizer goes first.
        self._optimizer.step()
        self.schedule.after_step()

    def seed_generator(self, position: Position) -> torch.Generator:
        """Draw from here on what this epoch and step draw; step 0 of them is the order of the images.

        ``position`` counts what is drawn for: its epoch from 0, its steps from 1.
        """
        key = f"{self.config.seed}/{position.epoch + 1}/{position.step}".encode()
        digest = hashlib.blake2b(key, digest_size=8).digest()
        return self.generator.manual_seed(int.from_bytes(digest, "little", signed=True))
