"""Give an experiment more seeds: a number of them, or as many as planned looks need to settle it.

Every function works in the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.tables import UNFINISHED, EpochMetric, Experiment, Run
from lab.errors import InvalidConfigError
from lab.experiments.configs import RunConfig
from lab.experiments.looks import Look, add_look, plan_looks
from lab.experiments.planning import check_counts
from lab.queue.job_queue import JobQueue
from lab.runs.locks import lock_experiment
from lab.runs.queueing import queue_in_bundles
from lab.runs.records import read_looks, read_tuning
from lab.statistics.paired import MIN_SEEDS

MAX_SETTLED_CONFIGS = 100
"""More make more pairs than a comparison judges at once."""


def add_seeds(session: Session, queue: JobQueue, experiment_id: int, *, number: int) -> None:
    """Queue every configuration with ``number`` more seeds, the next after the highest.

    Looks that were planned and are still to come are dropped.

    Raises:
        NotFoundError: there is no such experiment.
        InvalidConfigError: the experiment would have too many runs or too high a seed, or its tuning found no
            learning rate.
    """
    plan = _read_plan(session, experiment_id)
    looks = add_look(
        plan.looks,
        num_seeds_before=plan.num_seeds,
        num_seeds=plan.num_seeds + number,
        is_seen=plan.is_seen,
    )
    plan.experiment.is_settling = False
    _write_looks(plan.experiment, looks)
    _queue_seeds(session, queue, plan, number=number)


def add_seeds_until_settled(session: Session, queue: JobQueue, experiment_id: int, *, most: int) -> None:
    """Plan looks at the experiment, the last with ``most`` seeds, and queue the seeds of the first.

    ``take_next_look`` queues those of each further one.

    Raises:
        NotFoundError: there is no such experiment.
        InvalidConfigError: ``most`` is fewer than the six that can settle anything or no more than there are,
            or the experiment has too many configurations, or would have too many runs or too high a seed, or
            its tuning found no learning rate.
    """
    plan = _read_plan(session, experiment_id)
    if most < MIN_SEEDS or most <= plan.num_seeds:
        least = max(MIN_SEEDS, plan.num_seeds + 1)
        raise InvalidConfigError(
            f"max is {most}; it must be at least {least}: {MIN_SEEDS} seeds are the fewest that settle "
            f"anything, and there are {plan.num_seeds}."
        )
    if len(plan.configs) > MAX_SETTLED_CONFIGS:
        raise InvalidConfigError(
            f"There are {len(plan.configs)} configurations; at most {MAX_SETTLED_CONFIGS} can be settled in "
            "pairs. Add a number of seeds instead, and compare with a reference."
        )
    check_counts(num_configs=len(plan.configs), num_seeds=most)
    # Refused now, if the last seed would be too high.
    replace(plan.configs[0], seed=max(plan.seeds) + most - plan.num_seeds)
    looks = plan_looks(plan.looks, num_seeds_before=plan.num_seeds, most_seeds=most, is_seen=plan.is_seen)
    if not any(look.is_planned for look in looks):
        raise InvalidConfigError(
            "So many looks were taken before that what is left of the level could find nothing; submit a new "
            "experiment."
        )
    plan.experiment.is_settling = True
    _write_looks(plan.experiment, looks)
    next_seeds = min(look.num_seeds for look in looks if look.is_planned and look.num_seeds >= plan.num_seeds)
    _queue_seeds(session, queue, plan, number=next_seeds - plan.num_seeds)


def list_settling(session: Session) -> list[int]:
    """List the experiments that get more seeds until they are settled and have no unfinished run now."""
    is_to_come = sa.or_(Run.job_id.is_not(None), Run.is_paused, Run.is_waiting)
    to_come = sa.select(Run.id).where(Run.experiment_id == Experiment.id, UNFINISHED, is_to_come)
    query = sa.select(Experiment.id).where(Experiment.is_settling, ~to_come.exists())
    return list(session.scalars(query))


def take_next_look(
    session: Session, queue: JobQueue, experiment_id: int, *, num_seeds: int, is_settled: bool
) -> None:
    """Queue the seeds of the next planned look, or end here if it ``is_settled`` with ``num_seeds``.

    Nothing is done where another process was faster, or somebody changed the plan.

    Raises:
        NotFoundError: there is no such experiment.
    """
    plan = _read_plan(session, experiment_id)
    if not plan.experiment.is_settling or plan.num_seeds != num_seeds:
        return
    to_come = [look.num_seeds for look in plan.looks if look.num_seeds > num_seeds]
    if is_settled or not to_come:
        plan.experiment.is_settling = False
    else:
        _queue_seeds(session, queue, plan, number=min(to_come) - num_seeds)


@dataclass(frozen=True)
class _Plan:
    """An experiment's row, locked, with its configurations and seeds."""

    experiment: Experiment
    configs: list[RunConfig]
    seeds: set[int]
    looks: list[Look]
    is_seen: bool
    is_waiting: bool

    @property
    def num_seeds(self) -> int:
        return len(self.seeds)


def _read_plan(session: Session, experiment_id: int) -> _Plan:
    experiment = lock_experiment(session, experiment_id)
    runs = session.scalars(sa.select(Run).where(Run.experiment_id == experiment_id).order_by(Run.id)).all()
    planned = [RunConfig.from_json(run.config) for run in runs]
    configs = {config.label: config for config in planned}
    tuning = read_tuning(experiment)
    if tuning is not None and tuning.points:
        # One without a rate could not be trained with any.
        rates = tuning.rates
        configs = {
            label: replace(config, learning_rate=rates[label])
            for label, config in configs.items()
            if label in rates
        }
        if not configs:
            raise InvalidConfigError(
                f"No configuration has a learning rate: none was trained to the end in experiment "
                f"{tuning.experiment_id}. Submit a new experiment."
            )
    return _Plan(
        experiment=experiment,
        configs=list(configs.values()),
        seeds={config.seed for config in planned},
        looks=read_looks(experiment),
        is_seen=_count_seen_seeds(session, experiment_id) >= MIN_SEEDS,
        is_waiting=tuning is not None and not tuning.points,
    )


def _count_seen_seeds(session: Session, experiment_id: int) -> int:
    """The number of seeds of which any result can be seen."""
    query = sa.select(Run.config["seed"].as_integer()).where(
        Run.experiment_id == experiment_id,
        sa.select(EpochMetric.run_id).where(EpochMetric.run_id == Run.id).exists(),
    )
    return len(set(session.scalars(query)))


def _write_looks(experiment: Experiment, looks: Sequence[Look]) -> None:
    experiment.looks = [asdict(look) for look in looks]


def _queue_seeds(session: Session, queue: JobQueue, plan: _Plan, *, number: int) -> None:
    """Queue every configuration with ``number`` more seeds."""
    check_counts(num_configs=len(plan.configs), num_seeds=plan.num_seeds + number)
    first = max(plan.seeds) + 1
    added = [
        Run(
            experiment_id=plan.experiment.id,
            config=replace(config, seed=seed).to_json(),
            is_waiting=plan.is_waiting,
        )
        for config in plan.configs
        for seed in range(first, first + number)
    ]
    session.add_all(added)
    session.flush()
    if added and not plan.is_waiting:
        queue_in_bundles(session, queue, added)
