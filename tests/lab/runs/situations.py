"""Brings a database into the situations that the tests of the lab start from."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
import torch
from sqlalchemy.orm import Session

from lab.database.engine import Database
from lab.database.tables import EpochMetric, Run, Worker, now
from lab.queue.job_queue import JOBS, RUNNING_STATE
from lab.queue.workers import SignsOfLife, record_heartbeat
from lab.runs.epochs import EpochReport, TrainingState
from lab.runs.progress import record_failure
from lab.runs.records import ExperimentRecord, RunRecord, read_run

Submit = Callable[..., ExperimentRecord]


def beat(
    database: Database,
    worker_id: str = "worker-1",
    *,
    silent_seconds: float = 0.0,
    idle_seconds: float | None = None,
    bundle_size: int = 1,
) -> None:
    """Have the worker be heard of, and then fall silent for ``silent_seconds``."""
    with database.transaction() as session:
        signs = make_signs(idle_seconds=idle_seconds, bundle_size=bundle_size)
        record_heartbeat(session, worker_id, signs=signs)
        heard_at = Worker.heard_at_seconds - silent_seconds
        session.execute(sa.update(Worker).where(Worker.id == worker_id).values(heard_at_seconds=heard_at))


def make_signs(**values: Any) -> SignsOfLife:
    """What a worker that has nothing to do and trains one run at a time tells of itself."""
    usual = {"device": "cpu", "started_at": now(), "idle_seconds": None, "bundle_size": 1}
    return SignsOfLife(**{**usual, **values})


def read_job(session: Session, run_id: int) -> str:
    """Id of the job that the run has, or had when it was deleted."""
    run = session.get(Run, run_id)
    return f"run-{run_id}" if run is None else str(run.job_id)


def set_job(database: Database, run_id: int, *, state: str, worker_id: str | None = None) -> str:
    """Have the queue say that the run's job is in ``state``, taken by ``worker_id``; the job's id."""
    with database.transaction() as session:
        job_id = read_job(session, run_id)
        job = sa.update(JOBS).where(JOBS.c.workflow_uuid == job_id)
        session.execute(job.values(status=state, executor_id=worker_id))
    return job_id


def take(database: Database, run_id: int, *, worker_id: str = "worker-1") -> str:
    """Have the worker take the run's job off the queue; the job's id."""
    return set_job(database, run_id, state=RUNNING_STATE, worker_id=worker_id)


def finish(database: Database, run_id: int) -> None:
    """Have the run be completed."""
    with database.transaction() as session:
        session.execute(sa.update(Run).where(Run.id == run_id).values(finished_at=now()))


def fail(database: Database, run_id: int) -> None:
    """Have the worker give the run up."""
    with database.transaction() as session:
        record_failure(session, run_id, job_id=read_job(session, run_id), reason="Because.")


def read_again(database: Database, run: RunRecord) -> RunRecord:
    """The run as it stands now."""
    with database.transaction() as session:
        return read_run(session, run.id)


def make_metric(run_id: int, epoch: int, *, test_accuracy: float) -> EpochMetric:
    """An epoch's figures of which only the test accuracy matters."""
    figures = dict.fromkeys(("learning_rate", "seconds", "train_loss", "train_accuracy", "test_loss"), 0.5)
    return EpochMetric(run_id=run_id, epoch=epoch, test_accuracy=test_accuracy, **figures)


def make_report(epoch: int, **values: Any) -> EpochReport:
    """What training hands over after ``epoch``; another for each."""
    generator = torch.Generator().manual_seed(epoch)
    state = TrainingState(
        variant="stacked",
        epoch=epoch,
        step=0,
        seconds=0.0,
        epoch_learning_rate=0.04,
        weights={
            "conv1.weight": torch.randn(2, 1, 3, 3, generator=generator),
            "norm1.num_batches_tracked": torch.tensor(epoch * 11),
        },
        momentum={"conv1.weight": torch.randn(2, 1, 3, 3, generator=generator)},
        learning_rate=0.04 * 0.8**epoch,
        schedule={"best": 0.1 + 0.2, "num_bad_epochs": 1},
    )
    figures = {
        "learning_rate": 0.04,
        "seconds": 1.5,
        "train_loss": 1 / epoch,
        "train_accuracy": 0.5,
        "validation_loss": None,
        "validation_accuracy": None,
        "test_loss": 2 / epoch,
        "test_accuracy": 0.1 * epoch,
    }
    answers = torch.randn(7, 10, generator=generator).log_softmax(dim=1)
    return EpochReport(
        **{
            **figures,
            "run_index": 0,
            "epoch": epoch,
            "test_log_probabilities": answers,
            "state": state,
            **values,
        }
    )
