"""Bundle runs of one recipe into jobs that keep a worker's device busy."""

import math
from collections.abc import Iterable, Sequence

from lab.database.tables import Run
from lab.experiments.configs import RunConfig
from lab.queue.workers import Workforce


def choose_bundle_size(workforce: Workforce, *, num_runs: int) -> int:
    """Choose the number of runs per job: what suits the workers, but leaves none of them idle.

    The workers that are alive count, or, if none is, those that were heard of last.
    """
    workers = [worker for worker in workforce.workers.values() if worker.is_alive] or workforce.past_workers
    if not workers:
        return 1
    share = math.ceil(num_runs / len(workers))
    return max(1, min(share, max(worker.bundle_size for worker in workers)))


def make_bundles(runs: Sequence[Run], *, size: int) -> list[list[Run]]:
    """Bundle runs of one recipe, at most ``size`` together, in order."""
    by_recipe: dict[object, list[Run]] = {}
    for run in runs:
        config = RunConfig.from_json(run.config)
        key = (config.batch_size, config.epochs, config.validation_size)
        by_recipe.setdefault(key, []).append(run)
    bundles = [bundle for alike in by_recipe.values() for bundle in _cut(alike, size)]
    return sorted(bundles, key=lambda bundle: bundle[0].id)


def _cut(runs: Sequence[Run], size: int) -> Iterable[list[Run]]:
    return (list(runs[start : start + size]) for start in range(0, len(runs), size))
