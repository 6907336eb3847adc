"""The tables, as SQLAlchemy classes; ``migrations`` makes them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A time with its time zone, which SQLite would drop."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """All tables of the lab."""

    type_annotation_map = {  # noqa: RUF012
        dict[str, Any]: sa.JSON,
        list[int]: sa.JSON,
        list[dict[str, Any]]: sa.JSON,
        datetime: UtcDateTime,
        bytes: sa.LargeBinary,
    }


class Experiment(Base):
    """One submitted request: several runs on one data set."""

    __tablename__ = "experiments"
    # Ids of deleted rows are never reused: a link to a deleted experiment stays dead.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    dataset: Mapped[str]
    preset: Mapped[str | None]
    request: Mapped[dict[str, Any]]
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    priority: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    # The looks at its results, planned ones included; null before seeds were added.
    looks: Mapped[list[dict[str, Any]] | None]
    # True while planned looks are taken until everything is settled.
    is_settling: Mapped[bool] = mapped_column(default=False)
    # Where its learning rates come from, see ``lab.experiments.tuning``; null if the request gave them.
    tuning: Mapped[dict[str, Any] | None]
    runs: Mapped[list["Run"]] = relationship(order_by="Run.id", passive_deletes=True)


class Run(Base):
    """One configuration with one seed. Its status is derived, see ``lab.runs.records``."""

    __tablename__ = "runs"
    __table_args__ = (
        # Few runs are unfinished: this index finds them without reading the others.
        sa.Index(
            "ix_runs_open",
            "experiment_id",
            sqlite_where=sa.text("finished_at IS NULL"),
            postgresql_where=sa.text("finished_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[int] = mapped_column(
        sa.ForeignKey("experiments.id", ondelete="CASCADE"), index=True
    )
    config: Mapped[dict[str, Any]]
    # The job that may write this run; null once it is cancelled or paused.
    job_id: Mapped[str | None] = mapped_column(index=True)
    is_paused: Mapped[bool] = mapped_column(default=False)
    # Not to be queued before its experiment's learning rates are chosen.
    is_waiting: Mapped[bool] = mapped_column(default=False)
    # Attempts since the last new checkpoint, and why the last one ended if its worker could tell.
    num_attempts: Mapped[int] = mapped_column(default=0)
    last_problem: Mapped[str | None]
    device: Mapped[str | None]
    # The engine, and the ids of the runs that the last attempt trained together, including this one.
    variant: Mapped[str | None]
    bundle: Mapped[list[int] | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None]
    # Of a completed run, see ``lab.statistics.calibration``.
    temperature: Mapped[float | None]
    calibration_error: Mapped[float | None]
    calibrated_error: Mapped[float | None]
    metrics: Mapped[list["EpochMetric"]] = relationship(order_by="EpochMetric.epoch", passive_deletes=True)


UNFINISHED = Run.finished_at.is_(None)
"""SQL condition: the run has neither completed nor failed."""


class Worker(Base):
    """A worker's last heartbeat; ``lab.queue.workers`` tells whether it is alive."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str]
    started_at: Mapped[datetime]
    # By the database's clock: machines need not agree on the time.
    heard_at_seconds: Mapped[float]
    # Seconds since the current job last moved; null without a job.
    idle_seconds: Mapped[float | None]
    # The number of runs it trains at once.
    bundle_size: Mapped[int] = mapped_column(default=1)


class EpochMetric(Base):
    """The metrics of one epoch of one run; see ``lab.runs.epochs.EpochReport`` for the units."""

    __tablename__ = "epoch_metrics"

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    learning_rate: Mapped[float]
    seconds: Mapped[float]
    train_loss: Mapped[float]
    train_accuracy: Mapped[float]
    validation_loss: Mapped[float | None]
    validation_accuracy: Mapped[float | None]
    test_loss: Mapped[float]
    test_accuracy: Mapped[float]


class LayerStatistic(Base):
    """One layer at one step of a run's first epoch; see ``lab.runs.epochs.LayerStatistics``."""

    __tablename__ = "layer_statistics"

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    layer: Mapped[int] = mapped_column(primary_key=True)
    activation_mean: Mapped[float | None]
    activation_variance: Mapped[float | None]
    gradient_norm: Mapped[float | None]


class Checkpoint(Base):
    """A run's latest state; after its last epoch, the trained network.

    ``epoch`` epochs are done, and ``step`` steps of the next. ``weights`` is a safetensors file of the
    network's state dict and nothing else, ``training_state`` one of what training needs besides.
    """

    __tablename__ = "checkpoints"

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int]
    step: Mapped[int]
    weights: Mapped[bytes] = mapped_column(deferred=True)
    training_state: Mapped[bytes] = mapped_column(deferred=True)


class TestPrediction(Base):
    """A finished run's answers on the whole test set: log-probabilities (N, 10), float32, little-endian."""

    __tablename__ = "test_predictions"
    __test__ = False  # for pytest, which collects classes by this prefix

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    log_probabilities: Mapped[bytes] = mapped_column(deferred=True)
