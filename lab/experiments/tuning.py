"""Tune learning rates: the same rates and budget for every configuration, judged on held-out images.

The rates are tried with seeds of their own, so that the comparison's seeds have had no part in the choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from typing import Any

from lab.errors import InvalidConfigError
from lab.experiments.planning import ExperimentSpec, check_counts
from lab.experiments.presets import TuneRequest

FIRST_SEED = 1_000_000
"""Far above the seeds that comparisons are given, also when more are added."""


@dataclass(frozen=True, kw_only=True)
class TunedPoint:
    """One configuration at one learning rate: accuracies on held-out images by seed, after the last epoch.

    A seed whose run did not complete has none.
    """

    label: str
    learning_rate: float
    accuracies: list[float]
    is_chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Where an experiment's learning rates come from; ``points`` is empty until they are chosen.

    ``experiment_id`` is the experiment that tries them.
    """

    experiment_id: int
    learning_rates: list[float]
    num_seeds: int
    epochs: int
    points: list[TunedPoint] = field(default_factory=list)

    @property
    def rates(self) -> dict[str, float]:
        """The chosen learning rate by the configuration's label."""
        return {point.label: point.learning_rate for point in self.points if point.is_chosen}

    def to_json(self) -> dict[str, Any]:
        """The tuning as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Tuning":
        """Make the tuning from the result of ``to_json``."""
        return cls(**{**values, "points": [TunedPoint(**point) for point in values["points"]]})


def plan_tuning(spec: ExperimentSpec) -> ExperimentSpec | None:
    """The experiment that tries every learning rate with every configuration of ``spec``; None if none does.

    Raises:
        InvalidConfigError: there is nothing to choose from, nothing to choose it on, or too many runs.
    """
    request = spec.tune
    if request is None:
        return None
    try:
        return _plan_tuning(spec, request)
    except InvalidConfigError as error:
        raise InvalidConfigError(f"tune: {error}") from None


def _plan_tuning(spec: ExperimentSpec, request: TuneRequest) -> ExperimentSpec:
    configs = list({run.label: run for run in spec.runs}.values())
    rates = request.learning_rates
    if len(rates) < 2 or len({name_tuned("", rate) for rate in rates}) < len(rates):
        raise InvalidConfigError("learning_rate must list two different learning rates or more.")
    if len({replace(config, learning_rate=rates[0], label="") for config in configs}) < len(configs):
        raise InvalidConfigError(
            "Two configurations are the same but for learning_rate, which is chosen; leave it out."
        )
    if any(config.validation_size == 0 for config in configs):
        raise InvalidConfigError(
            "Learning rates are chosen on held-out training images; let validation_size be above 0."
        )
    check_counts(num_configs=len(configs) * len(rates), num_seeds=request.num_seeds)
    if any(run.seed >= FIRST_SEED for run in spec.runs):
        raise InvalidConfigError(f"Seeds from {FIRST_SEED:,} on are kept for tuning; give lower ones.")
    return ExperimentSpec(
        name=f"Learning rates for: {spec.name}",
        dataset=spec.dataset,
        preset=None,
        runs=tuple(
            replace(
                config,
                label=name_tuned(config.label, rate),
                learning_rate=rate,
                epochs=request.epochs,
                seed=FIRST_SEED + number,
            )
            for config in configs
            for rate in rates
            for number in range(request.num_seeds)
        ),
        priority=spec.priority,
    )


def name_tuned(label: str, learning_rate: float) -> str:
    """The label of a configuration while ``learning_rate`` is tried."""
    return f"{label}, learning_rate {learning_rate:g}"


def choose_rates(tuning: Tuning, *, labels: Sequence[str], accuracies: Mapping[str, list[float]]) -> Tuning:
    """Choose each configuration's learning rate: that of the highest mean accuracy, or the lowest of equals.

    ``accuracies`` are on held-out images, those of the completed runs by their label. A rate with
    a run that did not complete is out; a configuration may be left without any.
    """
    points = []
    for label in labels:
        tried = [
            TunedPoint(
                label=label, learning_rate=rate, accuracies=accuracies.get(name_tuned(label, rate), [])
            )
            for rate in sorted(tuning.learning_rates)
        ]
        # There are more where seeds were added to the experiment that tries them.
        whole = [point for point in tried if len(point.accuracies) >= tuning.num_seeds]
        best = max(whole, key=lambda point: fmean(point.accuracies), default=None)
        points += [replace(point, is_chosen=point is best) for point in tried]
    return replace(tuning, points=points)
