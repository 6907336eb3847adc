"""The request that repeats an experiment, even if presets have changed since."""

from collections.abc import Sequence
from typing import Any

from lab.datasets.load import DATASETS
from lab.errors import InvalidConfigError
from lab.experiments.configs import RunConfig
from lab.experiments.planning import plan_experiment
from lab.runs.records import ExperimentRecord
from service.experiments.requests import ConfigIn, ExperimentIn


def find_repeating_request(experiment: ExperimentRecord, request: dict[str, Any]) -> dict[str, Any] | None:
    """Find a body of POST /experiments that means exactly these runs; None if there is none.

    It is ``request``, what was asked, with data set and seeds spelled out; or, if that has come to mean
    something else, every configuration spelled out.
    """
    runs = [run.config for run in experiment.runs]
    seeds = list(dict.fromkeys(config.seed for config in runs))
    shared = {
        "dataset": experiment.dataset,
        "seeds": len(seeds) if seeds == list(range(len(seeds))) else seeds,
    }
    configs = {config.label: _spell_out(config) for config in runs}
    spelled_out = {"name": experiment.name, **shared, "configs": list(configs.values())}
    candidates = ({**request, **shared}, spelled_out)
    # Seeds that were added come last; asked for at once, each stands beside its configuration.
    wanted = _order(runs)
    return next(
        (
            body
            for body in candidates
            if (planned := _plan(body, dataset=experiment.dataset)) and _order(planned) == wanted
        ),
        None,
    )


def _order(configs: Sequence[RunConfig]) -> list[RunConfig]:
    return sorted(configs, key=lambda config: (config.label, config.seed))


def _plan(body: dict[str, Any], *, dataset: str) -> list[RunConfig] | None:
    try:
        spec = plan_experiment(ExperimentIn.model_validate(body).to_request(), dataset=DATASETS[dataset])
    except (InvalidConfigError, ValueError):
        return None
    return list(spec.runs)


def _spell_out(config: RunConfig) -> dict[str, Any]:
    return {name: value for name, value in config.to_json().items() if name in ConfigIn.model_fields}
