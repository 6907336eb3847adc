"""From what a request asks for to the list of runs it means."""

import itertools
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from lab.configs import CONFIG_FIELDS, DEFAULT_DROPOUT, PENALTIES, STUDY_L1, STUDY_L2, RunConfig
from lab.datasets import DatasetInfo
from lab.errors import InvalidConfigError

MAX_RUNS = 1_000
MAX_PRIORITY = 100
# The share of the training images held out when a request does not say: 5,000 of MNIST's 60,000.
VALIDATION_SHARE = 1 / 12

STUDY_CONFIGS: tuple[dict[str, Any], ...] = (
    {"normalization": "batch", "l1": STUDY_L1, "l2": STUDY_L2},
    {"normalization": "group", "l1": STUDY_L1},
    {"normalization": "layer", "l2": STUDY_L2},
    {"normalization": "instance", "affine": False, "l1": STUDY_L1, "l2": STUDY_L2},
)
STUDY_RECIPE: dict[str, Any] = {
    "penalize": "all",
    "epochs": 25,
    "batch_size": 128,
    "learning_rate": 0.04,
    "momentum": 0.9,
    "schedule": "plateau",
    "rotation_degrees": 6.9,
    "validation_size": 0,
}

NOT_IN_GRID = ("dataset", "seed", "label", "schedule_metric")


@dataclass(frozen=True, kw_only=True)
class ExperimentRequest:
    """What a client asks for, types checked, nothing else.

    ``recipe`` holds the fields of RunConfig that hold for all runs; ``configs`` and ``grid`` those that
    differ. With neither, the study's four configurations are meant.
    """

    name: str | None
    configs: list[dict[str, Any]] | None
    grid: dict[str, list[Any]] | None
    seeds: list[int]
    recipe: dict[str, Any]
    priority: int = 0


@dataclass(frozen=True, kw_only=True)
class ExperimentSpec:
    """An experiment ready to be queued: every run spelled out."""

    name: str
    dataset: str
    preset: str | None
    runs: tuple[RunConfig, ...]
    priority: int = 0


def plan_experiment(request: ExperimentRequest, *, dataset: DatasetInfo) -> ExperimentSpec:
    """Spell out every run that ``request`` asks for on ``dataset``.

    Raises:
        InvalidConfigError: it asks for something that could not be trained.
    """
    if request.configs is not None and request.grid is not None:
        raise InvalidConfigError("The request has both configs and grid; give one of the two.")
    is_study = request.configs is None and request.grid is None
    if is_study:
        configs: list[dict[str, Any]] = [dict(config) for config in STUDY_CONFIGS]
        recipe = {**STUDY_RECIPE, **request.recipe}
    else:
        configs = request.configs if request.configs is not None else expand_grid(request.grid or {})
        recipe = {"validation_size": round(dataset.train_size * VALIDATION_SHARE), **request.recipe}
    if is_study and recipe["validation_size"] == 0:
        # The study let the test loss set its learning rate. Only its exact repetition may.
        recipe["schedule_metric"] = "test"
    _check_counts(configs, request.seeds)
    if not -MAX_PRIORITY <= request.priority <= MAX_PRIORITY:
        raise InvalidConfigError(
            f"priority is {request.priority}; it must be from {-MAX_PRIORITY} to {MAX_PRIORITY}."
        )
    planned = [RunConfig(**{"dataset": dataset.name, **recipe, **config}) for config in configs]
    for config in planned:
        _check_sizes(config, dataset)
    labels = make_labels(planned)
    runs = tuple(
        replace(config, label=label, seed=seed)
        for config, label in zip(planned, labels, strict=True)
        for seed in request.seeds
    )
    name = request.name or _make_name(is_study=is_study, dataset=dataset, num_runs=len(runs))
    return ExperimentSpec(
        name=name,
        dataset=dataset.name,
        preset="study" if is_study else None,
        runs=runs,
        priority=request.priority,
    )


def expand_grid(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of the grid's values; ``penalty`` names stand for λ1 and λ2 as the study has them.

    Raises:
        InvalidConfigError: a field that a run does not have, or an empty list.
    """
    allowed = ("penalty", *(name for name in CONFIG_FIELDS if name not in NOT_IN_GRID))
    for name, values in grid.items():
        if name not in allowed:
            raise InvalidConfigError(f"grid has the field {name!r}; it can have {', '.join(allowed)}.")
        if not values:
            raise InvalidConfigError(f"grid.{name} is empty; list at least one value.")
    if not grid:
        raise InvalidConfigError("grid is empty; list the values of at least one field, say normalization.")
    num_configs = math.prod(len(values) for values in grid.values())
    if num_configs > MAX_RUNS:
        raise InvalidConfigError(
            f"grid has {num_configs} combinations; an experiment can have {MAX_RUNS} runs."
        )
    if "penalty" in grid and ("l1" in grid or "l2" in grid):
        raise InvalidConfigError("grid has penalty and also l1 or l2; give the one or the other.")
    configs = []
    for combination in itertools.product(*grid.values()):
        config = dict(zip(grid, combination, strict=True))
        if "penalty" in config:
            penalty = config.pop("penalty")
            if penalty not in PENALTIES:
                raise InvalidConfigError(f"penalty is {penalty!r}; it must be one of {', '.join(PENALTIES)}.")
            config["l1"], config["l2"] = PENALTIES[penalty]
        configs.append(config)
    return configs


def make_labels(configs: list[RunConfig]) -> list[str]:
    """A short name for each configuration, unlike the others; given labels are kept."""
    labels = [config.label or _describe(config) for config in configs]
    counts = Counter(labels)
    differing = [name for name in CONFIG_FIELDS if len({getattr(config, name) for config in configs}) > 1]
    hidden = [name for name in differing if name not in ("normalization", "l1", "l2", "label")]
    unique: list[str] = []
    for config, label in zip(configs, labels, strict=True):
        if counts[label] > 1 and hidden:
            label += " (" + ", ".join(f"{name} {getattr(config, name)}" for name in hidden) + ")"
        candidates = itertools.chain([label], (f"{label} #{number}" for number in itertools.count(2)))
        unique.append(next(candidate for candidate in candidates if candidate not in unique))
    return unique


def _describe(config: RunConfig) -> str:
    parts: list[str] = ["no norm" if config.normalization == "none" else config.normalization]
    for name, value, usual in (("L1", config.l1, STUDY_L1), ("L2", config.l2, STUDY_L2)):
        if value:
            parts.append(name if value == usual else f"{name} {value:g}")
    label = " + ".join(parts)
    return label if config.dropout == DEFAULT_DROPOUT else f"{label}, dropout {config.dropout:g}"


def _make_name(*, is_study: bool, dataset: DatasetInfo, num_runs: int) -> str:
    subject = "The study" if is_study else f"{num_runs} run{'' if num_runs == 1 else 's'}"
    return f"{subject} on {dataset.title}"


def _check_counts(configs: list[dict[str, Any]], seeds: list[int]) -> None:
    if not configs:
        raise InvalidConfigError("configs is empty; list at least one configuration.")
    if not seeds:
        raise InvalidConfigError("seeds is empty; give a count of 1 or more, or a list of seeds.")
    if len(set(seeds)) != len(seeds):
        raise InvalidConfigError("seeds has the same seed twice; a seed gives the same numbers every time.")
    if len(configs) * len(seeds) > MAX_RUNS:
        raise InvalidConfigError(
            f"{len(configs)} configurations × {len(seeds)} seeds are {len(configs) * len(seeds)} runs; an "
            f"experiment can have {MAX_RUNS}."
        )


def _check_sizes(config: RunConfig, dataset: DatasetInfo) -> None:
    if config.validation_size >= dataset.train_size:
        raise InvalidConfigError(
            f"validation_size is {config.validation_size}, but {dataset.name} has {dataset.train_size} "
            "training images; hold out fewer."
        )
    num_train = dataset.train_size - config.validation_size
    if config.batch_size > num_train:
        raise InvalidConfigError(
            f"batch_size is {config.batch_size}, but only {num_train} images are left to train on; it "
            "can be at most that."
        )
