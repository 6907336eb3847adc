"""Expand a request into the list of its runs."""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from lab.datasets.load import DatasetInfo
from lab.errors import InvalidConfigError
from lab.experiments.configs import CONFIG_FIELDS, DEFAULT_DROPOUT, PENALTIES, STUDY_L1, STUDY_L2, RunConfig
from lab.experiments.presets import STUDY, Preset, TuneRequest, find_preset

MAX_RUNS = 1_000
MAX_PRIORITY = 100
# Share of the training images held out by default: 5,000 of MNIST's 60,000.
VALIDATION_SHARE = 1 / 12

NOT_IN_GRID = ("dataset", "seed", "label", "schedule_metric")


@dataclass(frozen=True, kw_only=True)
class ExperimentRequest:
    """A client's request, its types checked, nothing else.

    ``recipe`` holds the fields of RunConfig that hold for all runs; ``configs`` and ``grid`` those that
    differ; or else ``preset`` names both. With none of the three the study is meant. ``seeds`` may be left to
    the preset; without one it is seed 0. ``tune`` leaves the learning rates to ``lab.experiments.tuning``.
    """

    name: str | None
    configs: list[dict[str, Any]] | None
    grid: dict[str, list[Any]] | None
    seeds: list[int] | None
    recipe: dict[str, Any]
    preset: str | None = None
    tune: TuneRequest | None = None
    priority: int = 0


@dataclass(frozen=True, kw_only=True)
class ExperimentSpec:
    """An experiment ready to be queued: every run spelled out.

    With ``tune``, the runs' learning rates are chosen before they are trained.
    """

    name: str
    dataset: str
    preset: str | None
    runs: tuple[RunConfig, ...]
    tune: TuneRequest | None = None
    priority: int = 0


def plan_experiment(request: ExperimentRequest, *, dataset: DatasetInfo) -> ExperimentSpec:
    """Spell out every run that ``request`` asks for on ``dataset``.

    Raises:
        InvalidConfigError: it asks for something that could not be trained.
    """
    preset = _choose_preset(request)
    configs = _list_configs(request, preset)
    tune = request.tune or (preset.tune if preset else None)
    if tune and any("learning_rate" in given for given in (request.recipe, *configs)):
        raise InvalidConfigError("tune chooses learning_rate; leave learning_rate out, or tune.")
    held_out = {"validation_size": round(dataset.train_size * VALIDATION_SHARE)}
    recipe = {**held_out, **(preset.recipe if preset else {}), **request.recipe}
    if preset is STUDY and recipe["validation_size"] == 0:
        # The study let the test loss set its learning rate. Only its exact repetition may.
        recipe["schedule_metric"] = "test"
    seeds = request.seeds if request.seeds is not None else list(range(preset.num_seeds if preset else 1))
    _check_lists(configs, seeds)
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
        for seed in seeds
    )
    subject = preset.title if preset else f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
    return ExperimentSpec(
        name=request.name or f"{subject} on {dataset.title}",
        dataset=dataset.name,
        preset=preset.name if preset else None,
        runs=runs,
        tune=tune,
        priority=request.priority,
    )


def expand_grid(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Combine the grid's values; ``penalty`` names stand for the study's λ1 and λ2.

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
    """Make a short, unique label for each configuration; given labels are kept.

    Where normalization and penalty do not tell two apart, the first fields that do are named too:
    “batch, batch_size 2”.
    """
    alike: dict[str, list[RunConfig]] = defaultdict(list)
    for config in configs:
        alike[config.label or _describe(config)].append(config)
    told_by = {label: _find_telling(group) for label, group in alike.items()}
    taken: set[str] = set()
    unique = []
    for config in configs:
        label = config.label or _describe(config)
        full = ", ".join([label, *(_describe_field(config, name) for name in told_by[label])])
        candidates = itertools.chain([full], (f"{full} #{number}" for number in itertools.count(2)))
        unique.append(next(candidate for candidate in candidates if candidate not in taken))
        taken.add(unique[-1])
    return unique


def _find_telling(configs: list[RunConfig]) -> list[str]:
    """The fewest first fields that tell configurations apart as well as all fields do."""
    differing = [
        name
        for name in CONFIG_FIELDS
        if name not in ("normalization", "l1", "l2", "label")
        and len({getattr(config, name) for config in configs}) > 1
    ]

    def count_told(names: list[str]) -> int:
        return len({tuple(getattr(config, name) for name in names) for config in configs})

    needed = count_told(differing)
    return next(names for n in range(len(differing) + 1) if count_told(names := differing[:n]) == needed)


def _describe_field(config: RunConfig, name: str) -> str:
    value = getattr(config, name)
    if isinstance(value, tuple):
        return f"{name} {value[0] if len(set(value)) == 1 else '-'.join(map(str, value))}"
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"


def _describe(config: RunConfig) -> str:
    parts: list[str] = ["no norm" if config.normalization == "none" else config.normalization]
    for name, value, usual in (("L1", config.l1, STUDY_L1), ("L2", config.l2, STUDY_L2)):
        if value:
            parts.append(name if value == usual else f"{name} {value:g}")
    label = " + ".join(parts)
    return label if config.dropout == DEFAULT_DROPOUT else f"{label}, dropout {config.dropout:g}"


def _choose_preset(request: ExperimentRequest) -> Preset | None:
    """The preset that the request means, if it brings no configurations of its own."""
    given = [name for name in ("configs", "grid") if getattr(request, name) is not None]
    if len(given) > 1:
        raise InvalidConfigError("The request has both configs and grid; give one of the two.")
    if request.preset is None:
        return None if given else STUDY
    preset = find_preset(request.preset)
    if given:
        raise InvalidConfigError(
            f"The request has both preset and {given[0]}; give one of the two. GET /presets shows the "
            "request that each preset stands for, to be changed at will."
        )
    preset.check_overrides(request.recipe)
    return preset


def _list_configs(request: ExperimentRequest, preset: Preset | None) -> list[dict[str, Any]]:
    if preset is not None and preset.grid is None:
        return [dict(config) for config in preset.configs]
    if request.configs is not None:
        return request.configs
    return expand_grid((preset.grid if preset else request.grid) or {})


def _check_lists(configs: list[dict[str, Any]], seeds: list[int]) -> None:
    if not configs:
        raise InvalidConfigError("configs is empty; list at least one configuration.")
    if not seeds:
        raise InvalidConfigError("seeds is empty; give a count of 1 or more, or a list of seeds.")
    if len(set(seeds)) != len(seeds):
        raise InvalidConfigError("seeds has the same seed twice; a seed gives the same numbers every time.")
    check_counts(num_configs=len(configs), num_seeds=len(seeds))


def check_counts(*, num_configs: int, num_seeds: int) -> None:
    """Refuse more runs than an experiment can have.

    Raises:
        InvalidConfigError: there are more.
    """
    if num_configs * num_seeds > MAX_RUNS:
        raise InvalidConfigError(
            f"{num_configs} configurations × {num_seeds} seeds are {num_configs * num_seeds} runs; an "
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
