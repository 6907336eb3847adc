"""The learning-rate schedules by name."""

import math
from typing import Any, Protocol

from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from lab.experiments.configs import RunConfig


class Schedule(Protocol):
    """Changes the optimizer's learning rate after a step, after an epoch, or never."""

    def after_step(self) -> None:
        """One optimizer step has been taken."""

    def after_epoch(self, watched_loss: float) -> None:
        """One epoch has ended with this loss on the images that the schedule watches."""

    def state_dict(self) -> dict[str, Any]:
        """The schedule's state as plain JSON values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave."""


def build_schedule(config: RunConfig, *, optimizer: SGD, num_images: int) -> Schedule:
    """The schedule of ``config`` for epochs of ``num_images`` images."""
    match config.schedule:
        case "plateau":
            return _Plateau(optimizer)
        case "onecycle":
            steps_per_epoch = math.ceil(num_images / config.batch_size)
            return _OneCycle(optimizer, config=config, total_steps=config.epochs * steps_per_epoch)
        case "constant":
            return _Constant()


class _Constant:
    def after_step(self) -> None:
        """Nothing changes."""

    def after_epoch(self, watched_loss: float) -> None:
        """Nothing changes."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is nothing to go on from."""


class _Plateau(_Constant):
    """The study's: ×0.8 after two epochs without an improvement of 0.1 %, never below 1e-4."""

    def __init__(self, optimizer: SGD) -> None:
        self._scheduler = ReduceLROnPlateau(optimizer, factor=0.8, patience=1, threshold=1e-3, min_lr=1e-4)

    def after_epoch(self, watched_loss: float) -> None:
        self._scheduler.step(watched_loss)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._scheduler.best, "num_bad_epochs": self._scheduler.num_bad_epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scheduler.best = state["best"]
        self._scheduler.num_bad_epochs = state["num_bad_epochs"]


class _OneCycle(_Constant):
    """Up to ``learning_rate`` over the first 30 % of all steps, then down (Smith & Topin 2018)."""

    def __init__(self, optimizer: SGD, *, config: RunConfig, total_steps: int) -> None:
        # The momentum stays what the configuration says.
        self._scheduler = OneCycleLR(
            optimizer, max_lr=config.learning_rate, total_steps=total_steps, cycle_momentum=False
        )
        self._remaining_steps = total_steps - 1

    def after_step(self) -> None:
        # OneCycleLR refuses the step that would lie past the last one.
        if self._remaining_steps > 0:
            self._scheduler.step()
            self._remaining_steps -= 1

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self._scheduler.last_epoch, "remaining_steps": self._remaining_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scheduler.last_epoch = state["last_epoch"]
        self._remaining_steps = state["remaining_steps"]
