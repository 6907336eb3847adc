"""Train networks: PyTorch alone, no database, no web.

Data flow: RunConfigs and a Dataset on the device → ``train`` → one EpochReport per run and epoch.

Every random number of a run is a function of its seed and its position (epoch, step), so the same
configuration, seed and device give the same numbers, and a run resumed from a state goes on as if it had
never stopped.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.configs import RunConfig
from lab.datasets import Dataset, ImageSet
from lab.epochs import EpochReport, TrainingState
from lab.networks import build_network, use_generator
from worker.augmentation import augment
from worker.evaluation import Evaluation, evaluate
from worker.penalties import select_penalized, sum_penalty
from worker.schedules import build_schedule

# Between epochs' own checkpoints; what a killed process loses at most.
CHECKPOINT_SECONDS = 5.0


class TrainingStoppedError(Exception):
    """``should_stop`` said so; what was reported before stands."""


class DivergedError(Exception):
    """A run's loss is no longer a number."""

    def __init__(self, *, run_index: int, epoch: int, learning_rate: float) -> None:
        super().__init__(
            f"The loss was no longer finite after epoch {epoch}; try a learning rate below {learning_rate:g}."
        )
        self.run_index = run_index


def train(
    runs: Sequence[RunConfig],
    data: Dataset,
    *,
    states: Sequence[TrainingState | None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_checkpoint: Callable[[int, TrainingState], None] | None = None,
) -> Iterator[EpochReport]:
    """Train every run to its last epoch on the device that holds ``data``, an epoch of each in turn.

    ``states`` are the states to go on from, None for a fresh start. ``should_stop`` is asked before every
    step and every batch that is measured. ``on_checkpoint`` is given a run's index and its state in the
    middle of an epoch: every ``CHECKPOINT_SECONDS``, and before stopping.

    Raises:
        TrainingStoppedError: ``should_stop`` said so.
        DivergedError: a run's loss is no longer finite.
    """
    resumed = states or [None] * len(runs)
    watch = _Watch(should_stop=should_stop, on_checkpoint=on_checkpoint or (lambda _index, _state: None))
    trainees = [
        _Trainee(config, data, run_index=index, state=state)
        for index, (config, state) in enumerate(zip(runs, resumed, strict=True))
    ]
    while unfinished := [trainee for trainee in trainees if not trainee.is_finished]:
        for trainee in unfinished:
            yield trainee.train_epoch(watch)


@dataclass(frozen=True, kw_only=True)
class _Watch:
    """What is asked, and told, between two steps."""

    should_stop: Callable[[], bool]
    on_checkpoint: Callable[[int, TrainingState], None]


def split_validation(train_set: ImageSet, *, validation_size: int) -> tuple[ImageSet, ImageSet | None]:
    """Hold out the last ``validation_size`` training images, the same ones for every run."""
    if validation_size == 0:
        return train_set, None
    images, labels = train_set.images, train_set.labels
    return (
        ImageSet(images[:-validation_size], labels[:-validation_size]),
        ImageSet(images[-validation_size:], labels[-validation_size:]),
    )


class _Trainee:
    """One run on its way: network, optimizer, schedule and position."""

    def __init__(
        self, config: RunConfig, data: Dataset, *, run_index: int, state: TrainingState | None
    ) -> None:
        self.config = config
        self.run_index = run_index
        self.epoch = 0
        self.step = 0
        self.seconds = 0.0
        self.epoch_learning_rate = config.learning_rate
        self.epoch_started_at = self.saved_at = time.monotonic()
        self.train_set, self.validation_set = split_validation(
            data.train, validation_size=config.validation_size
        )
        self.test_set = data.test
        device = data.train.images.device
        self.generator = torch.Generator(device)
        self.network = build_network(config).to(device)
        use_generator(self.network, self.generator)
        self.penalized = select_penalized(self.network, penalize=config.penalize)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=config.learning_rate, momentum=config.momentum, fused=True
        )
        self.schedule = build_schedule(config, optimizer=self.optimizer, num_images=len(self.train_set))
        if state is not None:
            self._load_state(state)

    @property
    def is_finished(self) -> bool:
        return self.epoch >= self.config.epochs

    def train_epoch(self, watch: _Watch) -> EpochReport:
        """Train from where the run stands to the end of the epoch, and measure."""
        self.epoch_started_at = time.monotonic() - self.seconds
        self.saved_at = time.monotonic()
        if self.step == 0:
            self.epoch_learning_rate = self._learning_rate
        look_up = partial(self._look_up, watch)
        self._train_steps(look_up)
        train = evaluate(self.network, self.train_set, before_batch=look_up)
        validation = (
            evaluate(self.network, self.validation_set, before_batch=look_up) if self.validation_set else None
        )
        test = evaluate(self.network, self.test_set, before_batch=look_up)
        self._check_finite(train, test, *filter(None, [validation]))
        watched = test if validation is None or self.config.schedule_metric == "test" else validation
        self.schedule.after_epoch(watched.loss)
        self.epoch, self.step, self.seconds = self.epoch + 1, 0, 0.0
        return EpochReport(
            run_index=self.run_index,
            epoch=self.epoch,
            learning_rate=self.epoch_learning_rate,
            seconds=time.monotonic() - self.epoch_started_at,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            validation_loss=validation.loss if validation else None,
            validation_accuracy=validation.accuracy if validation else None,
            test_loss=test.loss,
            test_accuracy=test.accuracy,
            test_log_probabilities=test.log_probabilities,
            state=self._export_state(),
        )

    def _train_steps(self, look_up: Callable[[], None]) -> None:
        self._seed_generator(step=0)
        order = torch.randperm(len(self.train_set), generator=self.generator, device=self.generator.device)
        batches = order.split(self.config.batch_size)
        self.network.train()
        for indices in batches[self.step :]:
            look_up()
            self._seed_generator(step=self.step + 1)
            self._step(indices)
            self.schedule.after_step()
            self.step += 1

    def _look_up(self, watch: _Watch) -> None:
        """Between two steps: hand over the state if it is due, and stop if that is asked."""
        is_due = time.monotonic() - self.saved_at > CHECKPOINT_SECONDS
        is_stopped = watch.should_stop()
        if is_due or is_stopped:
            self.seconds = time.monotonic() - self.epoch_started_at
            watch.on_checkpoint(self.run_index, self._export_state())
            self.saved_at = time.monotonic()
        if is_stopped:
            raise TrainingStoppedError

    def _step(self, indices: Tensor) -> None:
        images = augment(
            self.train_set.images[indices],
            rotation_degrees=self.config.rotation_degrees,
            generator=self.generator,
        )
        loss = F.nll_loss(self.network(images), self.train_set.labels[indices])
        if self.config.l1 or self.config.l2:
            loss = loss + sum_penalty(self.penalized, l1=self.config.l1, l2=self.config.l2)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @property
    def _learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def _seed_generator(self, *, step: int) -> None:
        """Draw from here on what this epoch and step draw, both from 1; step 0 is the order of the images."""
        position = f"{self.config.seed}/{self.epoch + 1}/{step}".encode()
        digest = hashlib.blake2b(position, digest_size=8).digest()
        self.generator.manual_seed(int.from_bytes(digest, "little", signed=True))

    def _check_finite(self, *evaluations: Evaluation) -> None:
        # abs(x) < inf is False for both inf and NaN.
        if not all(abs(evaluation.loss) < float("inf") for evaluation in evaluations):
            raise DivergedError(
                run_index=self.run_index, epoch=self.epoch + 1, learning_rate=self.config.learning_rate
            )

    def _export_state(self) -> TrainingState:
        momentum = {
            name: self.optimizer.state[parameter]["momentum_buffer"]
            for name, parameter in self.network.named_parameters()
            if self.optimizer.state[parameter].get("momentum_buffer") is not None
        }
        return TrainingState(
            epoch=self.epoch,
            step=self.step,
            seconds=self.seconds,
            epoch_learning_rate=self.epoch_learning_rate,
            weights={
                name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()
            },
            momentum={name: tensor.detach().cpu().clone() for name, tensor in momentum.items()},
            learning_rate=self._learning_rate,
            schedule=self.schedule.state_dict(),
        )

    def _load_state(self, state: TrainingState) -> None:
        self.epoch, self.step, self.seconds = state.epoch, state.step, state.seconds
        self.epoch_learning_rate = state.epoch_learning_rate
        self.network.load_state_dict(state.weights)
        for name, parameter in self.network.named_parameters():
            if name in state.momentum:
                buffer = state.momentum[name].to(parameter.device, copy=True)
                self.optimizer.state[parameter]["momentum_buffer"] = buffer
        self.schedule.load_state_dict(state.schedule)
        self.optimizer.param_groups[0]["lr"] = state.learning_rate
