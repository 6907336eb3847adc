"""Runs that train in step with each other, as one array of networks.

Each has its own data order, augmentation, dropout, penalty and schedule; they share the shape of the network,
the batch size and the position (epoch, step).
"""

import math
import time
from collections.abc import Callable, Collection, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lab.datasets.load import Dataset, ImageSet
from lab.experiments.configs import RunConfig
from lab.runs.epochs import EpochReport, TrainingState
from worker.engines.dropout import draw_dropped
from worker.engines.interface import Batch, Engine
from worker.engines.weights import Weights
from worker.training.augmentation import augment
from worker.training.callbacks import Callbacks, DivergedError, Lane, TrainingStoppedError
from worker.training.evaluation import Evaluation, evaluate, split_validation
from worker.training.member import Member, Position
from worker.training.penalties import Penalties
from worker.training.probe import list_probe_steps, measure_layers

# Between the epochs' own checkpoints; a killed process loses no more than this.
CHECKPOINT_SECONDS = 5.0


class RunArray:
    """K runs in training, and the engine that trains them."""

    def __init__(
        self,
        runs: Sequence[tuple[int, RunConfig]],
        data: Dataset,
        *,
        engine: Engine,
        variant: str,
        states: Sequence[TrainingState | None],
    ) -> None:
        """Begin ``runs``, (index, configuration) each, or continue from ``states``, all at one position."""
        configs = [config for _, config in runs]
        device = data.train.images.device
        self.config = configs[0]
        self._engine = engine
        self._variant = variant
        self._epoch = self._step = 0
        self._seconds = 0.0
        self._num_threads = 1
        self._epoch_started_at = self._saved_at = time.monotonic()
        self._train_set, self._validation_set = split_validation(
            data.train, validation_size=self.config.validation_size
        )
        self._test_set = data.test
        self._members = [
            Member(config, run_index=index, num_images=len(self._train_set), device=device)
            for index, config in runs
        ]
        self._weights = Weights(configs, device=device)
        self._velocity = torch.zeros_like(self._weights.parameters)
        self._momentum = torch.tensor([config.momentum for config in configs], device=device).unsqueeze(1)
        self._penalties = Penalties(configs, layout=self._weights.layout, device=device)
        for index, state in enumerate(states):
            if state is not None:
                self._load_state(index, state)

    @property
    def is_finished(self) -> bool:
        """True once the last epoch is done."""
        return self._epoch >= self.config.epochs

    @property
    def run_indices(self) -> list[int]:
        """The runs' places in the caller's list."""
        return [member.run_index for member in self._members]

    def use_threads(self, num_threads: int) -> None:
        """Use this many CPU threads from now on."""
        self._num_threads = num_threads
        self._engine.use_threads(num_threads)

    def train_epoch(self, callbacks: Callbacks, *, lane: Lane) -> list[EpochReport]:
        """Train to the end of the current epoch and evaluate; return one report per run.

        Raises:
            TrainingStoppedError: ``callbacks`` asked for it; the states have been handed over.
            DivergedError: a run's loss is no longer finite.
        """
        self.use_threads(lane.num_threads)
        self._epoch_started_at = time.monotonic() - self._seconds
        self._saved_at = time.monotonic()
        if self._step == 0:
            for member in self._members:
                member.epoch_learning_rate = member.learning_rate
        check_in = partial(self._check_in, callbacks)
        with closing(self.take_steps()) as steps:
            for _ in steps:
                check_in()
                self._probe(callbacks)
        self._probe(callbacks)
        train = self._evaluate(self._train_set, check_in)
        validation: Sequence[Evaluation | None] = [None] * len(self._members)
        if self._validation_set is not None:
            validation = self._evaluate(self._validation_set, check_in)
        test = self._evaluate(self._test_set, check_in)
        measured = [_Measured(*sets) for sets in zip(train, validation, test, strict=True)]
        self._check_finite(measured, callbacks)
        for member, figures in zip(self._members, measured, strict=True):
            is_test_watched = member.config.schedule_metric == "test" or figures.validation is None
            watched = figures.test if is_test_watched else figures.validation
            assert watched is not None
            member.schedule.after_epoch(watched.loss)
        seconds = (time.monotonic() - self._epoch_started_at) * lane.share / len(self._members)
        self._epoch, self._step, self._seconds = self._epoch + 1, 0, 0.0
        return [self._report(index, figures, seconds=seconds) for index, figures in enumerate(measured)]

    def _evaluate(self, image_set: ImageSet, check_in: Callable[[], None]) -> list[Evaluation]:
        return evaluate(self._engine, self._weights, image_set, before_batch=check_in)

    def _report(self, index: int, figures: "_Measured", *, seconds: float) -> EpochReport:
        member, validation = self._members[index], figures.validation
        return EpochReport(
            run_index=member.run_index,
            epoch=self._epoch,
            learning_rate=member.epoch_learning_rate,
            seconds=seconds,
            train_loss=figures.train.loss,
            train_accuracy=figures.train.accuracy,
            validation_loss=validation.loss if validation else None,
            validation_accuracy=validation.accuracy if validation else None,
            test_loss=figures.test.loss,
            test_accuracy=figures.test.accuracy,
            test_log_probabilities=figures.test.log_probabilities,
            state=self._export_state(index),
        )

    def take_steps(self) -> Generator[None, None, None]:
        """Take the remaining steps of the epoch, one for each value that is requested."""
        start = Position(self._epoch, 0)
        orders = [
            torch.randperm(
                len(self._train_set), generator=member.seed_generator(start), device=member.generator.device
            )
            for member in self._members
        ]
        remaining = torch.stack(orders).split(self.config.batch_size, dim=1)[self._step :]
        with closing(self._draw_batches(remaining)) as batches:
            for batch in batches:
                yield
                self.step(batch)
                for member in self._members:
                    member.end_step()
                self._step += 1

    def step(self, batch: Batch) -> None:
        """Take one step of each run on its part of the batch: SGD with momentum."""
        gradient = self._engine.differentiate(self._weights, batch)
        self._penalties.add_gradient(gradient, self._weights.parameters)
        self._velocity.mul_(self._momentum).add_(gradient)
        rates = [member.learning_rate for member in self._members]
        rate = torch.tensor(rates, device=gradient.device).unsqueeze(1)
        self._weights.parameters.sub_(rate * self._velocity)

    def _draw_batches(self, remaining: Sequence[Tensor]) -> Generator[Batch, None, None]:
        """Yield the batches of images (K, N); a free thread draws each during the step before."""
        draws = [
            partial(self._draw_batch, indices, Position(self._epoch, step))
            for step, indices in enumerate(remaining, start=self._step + 1)
        ]
        if self._num_threads == 1 or not draws:
            for draw in draws:
                yield draw()
            return
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as drawer:
            upcoming = drawer.submit(draws[0])
            for draw in draws[1:]:
                batch, upcoming = upcoming.result(), drawer.submit(draw)
                yield batch
            yield upcoming.result()

    def _draw_batch(self, indices: Tensor, position: Position) -> Batch:
        images, dropped = [], []
        for member, own in zip(self._members, indices, strict=True):
            config, generator = member.config, member.seed_generator(position)
            pictures = augment(
                self._train_set.images[own],
                rotation_degrees=config.rotation_degrees,
                translation_pixels=config.translation_pixels,
                scaling_percent=config.scaling_percent,
                interpolation=config.interpolation,
                generator=generator,
            )
            images.append(pictures.squeeze(1))
            if config.dropout > 0:
                dropped.append(draw_dropped(config.dropout, num_images=len(own), generator=generator))
        return Batch(torch.stack(images), self._train_set.labels[indices], dropped)

    def _check_in(self, callbacks: Callbacks) -> None:
        """Between two steps: hand over the states if they are due, and stop if asked to."""
        is_due = time.monotonic() - self._saved_at > CHECKPOINT_SECONDS
        is_stopped = callbacks.should_stop()
        if is_due or is_stopped:
            self._seconds = time.monotonic() - self._epoch_started_at
            self._hand_over(callbacks)
            self._saved_at = time.monotonic()
        if is_stopped:
            raise TrainingStoppedError

    def _probe(self, callbacks: Callbacks) -> None:
        """Measure the layers at some steps of the first epoch: after a restart, also where it starts."""
        num_steps = math.ceil(len(self._train_set) / self.config.batch_size)
        if not callbacks.is_probing or self._epoch > 0 or self._step not in list_probe_steps(num_steps):
            return
        callbacks.on_probe(
            {
                member.run_index: measure_layers(
                    member.config, self._weights.export(index), self._train_set, step=self._step
                )
                for index, member in enumerate(self._members)
            }
        )

    def _hand_over(self, callbacks: Callbacks, *, leave_out: Collection[int] = ()) -> None:
        """Hand over all states at once: stored one by one, a kill in between would leave them out of step."""
        kept = [index for index in range(len(self._members)) if index not in leave_out]
        callbacks.on_checkpoint({self._members[index].run_index: self._export_state(index) for index in kept})

    def _check_finite(self, measured: Sequence["_Measured"], callbacks: Callbacks) -> None:
        diverged = [index for index, figures in enumerate(measured) if not figures.is_finite]
        if not diverged:
            return
        # All steps of the epoch are done; the other runs only need to be evaluated again.
        self._seconds = time.monotonic() - self._epoch_started_at
        self._hand_over(callbacks, leave_out=diverged)
        member = self._members[diverged[0]]
        raise DivergedError(
            run_index=member.run_index, epoch=self._epoch + 1, learning_rate=member.config.learning_rate
        )

    def _export_state(self, index: int) -> TrainingState:
        member = self._members[index]
        velocity = self._weights.layout.split(self._velocity[index : index + 1])
        return TrainingState(
            variant=self._variant,
            epoch=self._epoch,
            step=self._step,
            seconds=self._seconds,
            epoch_learning_rate=member.epoch_learning_rate,
            weights=self._weights.export(index),
            momentum={name: tensor[0].cpu().clone() for name, tensor in velocity.items()},
            learning_rate=member.learning_rate,
            schedule=member.schedule.state_dict(),
        )

    def _load_state(self, index: int, state: TrainingState) -> None:
        self._epoch, self._step, self._seconds = state.epoch, state.step, state.seconds
        member = self._members[index]
        member.epoch_learning_rate = state.epoch_learning_rate
        member.schedule.load_state_dict(state.schedule)
        member.learning_rate = state.learning_rate
        self._weights.load(index, state.weights)
        self._velocity[index] = self._weights.layout.join(state.momentum).to(self._velocity.device)


@dataclass(frozen=True)
class _Measured:
    """One run's evaluations after an epoch."""

    train: Evaluation
    validation: Evaluation | None
    test: Evaluation

    @property
    def is_finite(self) -> bool:
        """True if every loss is finite."""
        return all(math.isfinite(part.loss) for part in (self.train, self.validation, self.test) if part)
