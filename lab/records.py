"""Everything read of experiments and runs.

A run's status is derived here, from the queue's state of its job and from what the worker wrote; it is
stored nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.architecture import NUM_CLASSES
from lab.configs import RunConfig
from lab.errors import NotFoundError, RunNotFinishedError
from lab.job_queue import JOBS, QUEUED_STATES, RUNNING_STATE
from lab.tables import Checkpoint, EpochMetric, Experiment, Run, TestPrediction

Status = Literal["queued", "running", "paused", "completed", "failed", "cancelled"]

RUN_STATUS = sa.case(
    (Run.error.is_not(None), "failed"),
    (Run.finished_at.is_not(None), "completed"),
    (Run.is_paused, "paused"),
    (Run.job_id.is_(None), "cancelled"),
    (JOBS.c.status.in_(QUEUED_STATES), "queued"),
    (JOBS.c.status == RUNNING_STATE, "running"),
    else_="failed",
)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run as it stands; ``epoch`` is the last one recorded, 0 before the first."""

    id: int
    experiment_id: int
    config: RunConfig
    status: Status
    epoch: int
    device: str | None
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None
    last_metric: EpochMetric | None

    @property
    def is_completed(self) -> bool:
        """Whether its network, and all that is measured of it, is final."""
        return self.status == "completed"


@dataclass(frozen=True, kw_only=True)
class ExperimentRecord:
    """One experiment with its runs in the order in which they were queued."""

    id: int
    name: str
    dataset: str
    preset: str | None
    created_at: datetime
    runs: list[RunRecord]

    @property
    def status(self) -> Status:
        """Running while any run is; then queued, paused, failed, cancelled or completed, in this order."""
        statuses = {run.status for run in self.runs}
        order: tuple[Status, ...] = ("running", "queued", "paused", "failed", "cancelled", "completed")
        return next((status for status in order if status in statuses), "completed")

    @property
    def progress(self) -> float:
        """Share of all epochs that are recorded, 0–1."""
        total = sum(run.config.epochs for run in self.runs)
        return sum(run.epoch for run in self.runs) / total if total else 1.0


def has_experiments(session: Session) -> bool:
    """Whether anything was ever submitted and not deleted."""
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


def read_experiment(session: Session, experiment_id: int) -> ExperimentRecord:
    """One experiment and its runs.

    Raises:
        NotFoundError: there is none of that id.
    """
    return _assemble(session, [find_experiment(session, experiment_id)])[0]


def list_experiments(
    session: Session, *, limit: int, before_id: int | None = None, dataset: str | None = None
) -> list[ExperimentRecord]:
    """The newest experiments first, those older than ``before_id`` if it is given."""
    query = sa.select(Experiment).order_by(Experiment.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Experiment.id < before_id)
    if dataset is not None:
        query = query.where(Experiment.dataset == dataset)
    return _assemble(session, session.scalars(query).all())


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
    """Every completed run, of one experiment if ``experiment_id`` is given."""
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
    _require_completed(run)
    return session.scalars(sa.select(Checkpoint.weights).where(Checkpoint.run_id == run.id)).one()


def read_log_probabilities(session: Session, run: RunRecord) -> NDArray[np.float32]:
    """The trained network's answers on the test set, (N, 10).

    Raises:
        RunNotFinishedError: the run has not completed.
    """
    _require_completed(run)
    query = sa.select(TestPrediction.log_probabilities).where(TestPrediction.run_id == run.id)
    return np.frombuffer(session.scalars(query).one(), dtype="<f4").reshape(-1, NUM_CLASSES)


def count_runs_by_status(session: Session) -> dict[str, int]:
    """How many runs there are of each status that occurs."""
    query = (
        sa.select(RUN_STATUS, sa.func.count()).select_from(Run).outerjoin(*_JOB_OF_RUN).group_by(RUN_STATUS)
    )
    return {row[0]: row[1] for row in session.execute(query)}


_JOB_OF_RUN = (JOBS, JOBS.c.workflow_uuid == Run.job_id)


def _require_completed(run: RunRecord) -> None:
    if not run.is_completed:
        reason = f": {run.error}" if run.error else f" after epoch {run.epoch} of {run.config.epochs}"
        raise RunNotFinishedError(
            f"Run {run.id} is {run.status}{reason}. This exists only of a run that is completed."
        )


def _assemble(session: Session, experiments: Sequence[Experiment]) -> list[ExperimentRecord]:
    runs: dict[int, list[RunRecord]] = {experiment.id: [] for experiment in experiments}
    for run in _read_runs(session, Run.experiment_id.in_(runs)):
        runs[run.experiment_id].append(run)
    return [
        ExperimentRecord(
            id=experiment.id,
            name=experiment.name,
            dataset=experiment.dataset,
            preset=experiment.preset,
            created_at=experiment.created_at,
            runs=runs[experiment.id],
        )
        for experiment in experiments
    ]


def _read_runs(session: Session, condition: sa.ColumnElement[bool]) -> list[RunRecord]:
    last_epoch = (
        sa.select(sa.func.max(EpochMetric.epoch)).where(EpochMetric.run_id == Run.id).correlate(Run)
    ).scalar_subquery()
    query = (
        sa.select(Run, RUN_STATUS, EpochMetric)
        .outerjoin(*_JOB_OF_RUN)
        .outerjoin(EpochMetric, sa.and_(EpochMetric.run_id == Run.id, EpochMetric.epoch == last_epoch))
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
            error=run.error if run.error or status != "failed" else LOST_JOB,
            started_at=run.started_at,
            finished_at=run.finished_at,
            last_metric=metric,
        )
        for run, status, metric in session.execute(query)
    ]


LOST_JOB = "The worker gave the job up without a reason; its log has the traceback."
