"""Estimate how long runs will take, from similar runs on the same device."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.tables import EpochMetric, Experiment, Run
from lab.datasets.load import DATASETS
from lab.experiments.configs import RunConfig
from lab.queue.workers import read_workforce

# Only the latest, so that a faster version of the training soon shows.
MOST_RUNS = 200


@dataclass(frozen=True, kw_only=True)
class DurationEstimate:
    """Estimated seconds of training, once it starts, and the basis of the estimate; None without one."""

    seconds: float | None
    basis: str


@dataclass
class _Record:
    """Time spent on images of runs alike."""

    seconds: float = 0.0
    images: int = 0

    @property
    def seconds_per_image(self) -> float:
        return self.seconds / self.images


def estimate_duration(session: Session, configs: Sequence[RunConfig], *, dataset: str) -> DurationEstimate:
    """Estimate how long the runs take together on the living workers, or on the device used last.

    A run is taken to cost its epochs × training images × the seconds per image of recorded runs with the same
    normalization and batch size, or else of those with the nearest batch size; on another data set if nothing
    has been trained on this one, as all have pictures of one size.
    """
    alive = [worker.device for worker in read_workforce(session).workers.values() if worker.is_alive]
    device, num_workers = Counter(alive).most_common(1)[0] if alive else (_find_last_device(session), 1)
    if device is None:
        return DurationEstimate(seconds=None, basis="Nothing has been trained yet.")
    trained_on, records = dataset, _read_records(session, device, dataset=dataset)
    if not records and (other := _find_last_dataset(session, device)):
        trained_on, records = other, _read_records(session, device, dataset=other)
    if not records:
        return DurationEstimate(seconds=None, basis=f"Nothing has been trained on {device} yet.")
    seconds = sum(
        config.epochs * _count_images(config) * _find_nearest(records, config).seconds_per_image
        for config in configs
    )
    workers = f"{num_workers} worker{'' if num_workers == 1 else 's'}"
    basis = (
        f"From recorded epochs on {trained_on} with {device}, shared by {workers}; "
        "what is queued comes on top."
    )
    if trained_on != dataset:
        basis += f" Roughly: nothing has been trained on {dataset} there yet."
    unseen = {config.batch_size for config in configs} - {batch_size for _, batch_size in records}
    if unseen:
        basis += f" It may be far off: no run had batches of {', '.join(map(str, sorted(unseen)))} yet."
    return DurationEstimate(seconds=seconds / num_workers, basis=basis)


def _find_last_device(session: Session) -> str | None:
    query = sa.select(Run.device).where(Run.device.is_not(None)).order_by(Run.id.desc()).limit(1)
    return session.scalar(query)


def _find_last_dataset(session: Session, device: str) -> str | None:
    query = (
        sa.select(Experiment.dataset)
        .join(Run, Run.experiment_id == Experiment.id)
        .join(EpochMetric, EpochMetric.run_id == Run.id)
        .where(Run.device == device)
        .order_by(Run.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def _read_records(session: Session, device: str, *, dataset: str) -> dict[tuple[str, int], _Record]:
    """Time and images by normalization and batch size, of the latest runs that have recorded epochs."""
    latest = (
        sa.select(Run.id)
        .join(Experiment, Experiment.id == Run.experiment_id)
        .where(Run.device == device, Experiment.dataset == dataset)
        .order_by(Run.id.desc())
        .limit(MOST_RUNS)
    )
    query = (
        sa.select(Run.config, sa.func.sum(EpochMetric.seconds), sa.func.count())
        .join(EpochMetric, EpochMetric.run_id == Run.id)
        .where(Run.id.in_(latest))
        .group_by(Run.id)
    )
    records: dict[tuple[str, int], _Record] = defaultdict(_Record)
    for values, seconds, num_epochs in session.execute(query):
        config = RunConfig.from_json(values)
        record = records[config.normalization, config.batch_size]
        record.seconds += seconds
        record.images += num_epochs * _count_images(config)
    return dict(records)


def _find_nearest(records: dict[tuple[str, int], _Record], config: RunConfig) -> _Record:
    """Find the record of the nearest batch size, preferably of the same normalization."""

    def find_distance(key: tuple[str, int]) -> tuple[float, bool]:
        normalization, batch_size = key
        return abs(math.log(batch_size / config.batch_size)), normalization != config.normalization

    return records[min(records, key=find_distance)]


def _count_images(config: RunConfig) -> int:
    """Training images of an epoch."""
    return DATASETS[config.dataset].train_size - config.validation_size
