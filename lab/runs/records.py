"""Read experiments and runs; a run's status comes from ``lab.runs.status``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.tables import UNFINISHED, Checkpoint, EpochMetric, Experiment, Run
from lab.errors import NotFoundError, RunNotFinishedError
from lab.experiments.configs import RunConfig
from lab.experiments.looks import Look, list_taken
from lab.experiments.tuning import Tuning
from lab.queue.job_queue import JOBS
from lab.queue.workers import read_workforce
from lab.runs.status import (
    JOB_OF_RUN,
    LOST_JOB,
    Status,
    combine_statuses,
    explain_stall,
    is_stuck,
    select_status,
)
from lab.statistics.calibration import Calibration
from lab.statistics.paired import LEVEL


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The current state of one run.

    ``epoch`` is the last one recorded, 0 before the first. ``variant`` is the engine that trains it,
    ``bundle`` the ids of the runs that its last attempt trained together, its own among them. ``worker`` has
    it while it is running. ``stalled`` says why it does not go on although it should.
    ``calibration`` is that of a completed run.
    """

    id: int
    experiment_id: int
    config: RunConfig
    status: Status
    epoch: int
    device: str | None
    variant: str | None
    bundle: list[int]
    worker: str | None
    error: str | None
    stalled: str | None
    started_at: datetime | None
    finished_at: datetime | None
    last_metric: EpochMetric | None
    calibration: Calibration | None

    @property
    def is_completed(self) -> bool:
        """True if training has ended and every result is final."""
        return self.status == "completed"


@dataclass(frozen=True, kw_only=True)
class ConfigurationRecord:
    """One configuration with its runs, which differ only in the seed.

    ``config`` is the first run's.
    """

    config: RunConfig
    runs: list[RunRecord]

    @property
    def label(self) -> str:
        """Name of the configuration, unique within its experiment."""
        return self.config.label


@dataclass(frozen=True, kw_only=True)
class ExperimentRecord:
    """One experiment with its runs in the order in which they were queued."""

    id: int
    name: str
    dataset: str
    preset: str | None
    priority: int
    created_at: datetime
    looks: list[Look]
    is_settling: bool
    tuning: Tuning | None
    runs: list[RunRecord]

    @property
    def is_tuned(self) -> bool:
        """Whether each configuration's learning rate is tuned for it."""
        return self.tuning is not None

    @property
    def num_seeds(self) -> int:
        """The number of seeds of its configurations, trained or not."""
        return len({run.config.seed for run in self.runs})

    @property
    def looks_taken(self) -> list[Look]:
        """The looks without those still to come; the last is the present one."""
        return list_taken(self.looks, num_seeds=self.num_seeds)

    @property
    def level(self) -> float:
        """The level that its differences are judged at: that of the present look."""
        return self.looks_taken[-1].level if self.looks_taken else LEVEL

    @cached_property
    def configurations(self) -> list[ConfigurationRecord]:
        """The configurations, in the order of their first runs."""
        runs_by_label: dict[str, list[RunRecord]] = {}
        for run in self.runs:
            runs_by_label.setdefault(run.config.label, []).append(run)
        return [ConfigurationRecord(config=runs[0].config, runs=runs) for runs in runs_by_label.values()]

    @property
    def status(self) -> Status:
        """Running while any run is; then queued, paused, failed, cancelled or completed, in this order."""
        return combine_statuses({run.status for run in self.runs})

    @property
    def stalled(self) -> str | None:
        """The reason why no run moves although some should; None while any run is trained."""
        if any(run.status == "running" and not run.stalled for run in self.runs):
            return None
        return next((run.stalled for run in self.runs if run.stalled), None)

    @property
    def progress(self) -> float:
        """Share of all epochs that are recorded, 0–1."""
        total = sum(run.config.epochs for run in self.runs)
        return sum(run.epoch for run in self.runs) / total if total else 1.0


def has_experiments(session: Session) -> bool:
    """Return whether there is any experiment."""
    return session.scalar(sa.select(Experiment.id).limit(1)) is not None


def find_experiment(session: Session, experiment_id: int) -> Experiment:
    """The experiment's own row.

    Raises:
        NotFoundError: there is none of that id.
    """
    experiment = session.get(Experiment, experiment_id)
    if experiment is None:
        raise NotFoundError(
            f"There is no experiment {experiment_id}; GET /experiments lists those there are."
        )
    return experiment


def read_looks(experiment: Experiment) -> list[Look]:
    """The looks at the experiment's results, planned ones included; none before seeds were added."""
    return [Look(**look) for look in experiment.looks or []]


def read_tuning(experiment: Experiment) -> Tuning | None:
    """Where the experiment's learning rates come from; None if the request gave them."""
    return None if experiment.tuning is None else Tuning.from_json(experiment.tuning)


def read_experiment(session: Session, experiment_id: int) -> ExperimentRecord:
    """One experiment and its runs.

    Raises:
        NotFoundError: there is none of that id.
    """
    experiment = find_experiment(session, experiment_id)
    return ExperimentRecord(
        id=experiment.id,
        name=experiment.name,
        dataset=experiment.dataset,
        preset=experiment.preset,
        priority=experiment.priority,
        created_at=experiment.created_at,
        looks=read_looks(experiment),
        is_settling=experiment.is_settling,
        tuning=read_tuning(experiment),
        runs=_read_runs(session, Run.experiment_id == experiment_id),
    )


def read_run(session: Session, run_id: int) -> RunRecord:
    """One run.

    Raises:
        NotFoundError: there is none of that id.
    """
    records = _read_runs(session, Run.id == run_id)
    if not records:
        raise NotFoundError(f"There is no run {run_id}; GET /experiments lists the runs of each experiment.")
    return records[0]


def list_completed_runs(session: Session, *, experiment_id: int | None = None) -> list[RunRecord]:
    """List every completed run, of one experiment if ``experiment_id`` is given."""
    condition = sa.and_(Run.finished_at.is_not(None), Run.error.is_(None))
    if experiment_id is not None:
        condition = sa.and_(condition, Run.experiment_id == experiment_id)
    return _read_runs(session, condition)


def read_metrics(session: Session, run_ids: Sequence[int]) -> dict[int, list[EpochMetric]]:
    """Each run's recorded epochs, in order; an empty list before the first."""
    metrics: dict[int, list[EpochMetric]] = {run_id: [] for run_id in run_ids}
    query = (
        sa.select(EpochMetric)
        .where(EpochMetric.run_id.in_(run_ids))
        .order_by(EpochMetric.run_id, EpochMetric.epoch)
    )
    for metric in session.scalars(query):
        metrics[metric.run_id].append(metric)
    return metrics


def read_weights(session: Session, run: RunRecord) -> bytes:
    """The trained network as a safetensors file.

    Raises:
        RunNotFinishedError: the run has not completed.
    """
    require_completed(run)
    return session.scalars(sa.select(Checkpoint.weights).where(Checkpoint.run_id == run.id)).one()


def count_runs_by_status(session: Session) -> dict[str, int]:
    """Count the runs by status; only statuses that occur are listed."""
    status = select_status(read_workforce(session))
    query = sa.select(status, sa.func.count()).select_from(Run).outerjoin(*JOB_OF_RUN).group_by(status)
    return {row[0]: row[1] for row in session.execute(query)}


def find_stall(session: Session, experiment_id: int) -> str | None:
    """Explain why a stuck run of the experiment does not continue; None if none is stuck."""
    stuck = sa.and_(Run.experiment_id == experiment_id, UNFINISHED)
    runs = _read_runs(session, sa.and_(stuck, is_stuck(read_workforce(session))))
    return next((run.stalled for run in runs if run.stalled), None)


def select_last_epoch() -> sa.ScalarSelect[int | None]:
    """The last recorded epoch of the ``Run`` of the enclosing query; null before the first."""
    query = sa.select(sa.func.max(EpochMetric.epoch)).where(EpochMetric.run_id == Run.id)
    return query.correlate(Run).scalar_subquery()


def require_completed(run: RunRecord) -> None:
    """Raise ``RunNotFinishedError`` unless the run has completed."""
    if not run.is_completed:
        reason = f": {run.error}" if run.error else f" after epoch {run.epoch} of {run.config.epochs}"
        raise RunNotFinishedError(
            f"Run {run.id} is {run.status}{reason}. This exists only of a run that is completed."
        )


def _read_runs(session: Session, condition: sa.ColumnElement[bool]) -> list[RunRecord]:
    workforce = read_workforce(session)
    is_last = sa.and_(EpochMetric.run_id == Run.id, EpochMetric.epoch == select_last_epoch())
    query = (
        sa.select(Run, select_status(workforce), JOBS.c.status, JOBS.c.executor_id, EpochMetric)
        .outerjoin(*JOB_OF_RUN)
        .outerjoin(EpochMetric, is_last)
        .where(condition)
        .order_by(Run.id)
    )
    return [
        RunRecord(
            id=run.id,
            experiment_id=run.experiment_id,
            config=RunConfig.from_json(run.config),
            status=status,
            epoch=metric.epoch if metric else 0,
            device=run.device,
            variant=run.variant,
            bundle=run.bundle or [],
            worker=worker_id if status == "running" else None,
            error=run.error if run.error or status != "failed" else LOST_JOB,
            stalled=explain_stall(
                status, workforce, job_state=job_state, worker_id=worker_id, problem=run.last_problem
            ),
            started_at=run.started_at,
            finished_at=run.finished_at,
            last_metric=metric,
            calibration=_read_calibration(run),
        )
        for run, status, job_state, worker_id, metric in session.execute(query)
    ]


def _read_calibration(run: Run) -> Calibration | None:
    if run.temperature is None or run.calibration_error is None or run.calibrated_error is None:
        return None
    return Calibration(
        temperature=run.temperature, error=run.calibration_error, calibrated_error=run.calibrated_error
    )
