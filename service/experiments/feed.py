"""Snapshots of experiments, shared by all event streams that follow them."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from lab.database.engine import Database
from lab.database.tables import EpochMetric
from lab.errors import NotFoundError
from lab.runs.records import read_experiment, read_metrics
from service.experiments.responses import ExperimentOut, view_experiment

POLL_SECONDS = 0.5
# Snapshots not requested for this long are dropped.
FORGET_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An experiment at one moment.

    ``versions`` numbers each run's last change, growing with time; ``last_metrics`` are the runs' last
    epochs, None before the first. Both are in the order of ``experiment.runs``.
    """

    experiment: ExperimentOut
    versions: list[int]
    last_metrics: list[EpochMetric | None]


@dataclass(frozen=True, kw_only=True)
class _Read:
    answer: asyncio.Future[Snapshot | None]
    asked_at: float


class ExperimentFeed:
    """Snapshots shared by all streams of one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: dict[int, _Read] = {}
        self._versions = itertools.count(1)

    async def read(self, experiment_id: int) -> Snapshot | None:
        """The experiment as it was at most ``POLL_SECONDS`` ago; None if it is deleted."""
        read = self._reads.get(experiment_id)
        if read is None or (read.answer.done() and time.monotonic() - read.asked_at >= POLL_SECONDS):
            before = _find_snapshot(read)
            read = _Read(
                answer=asyncio.ensure_future(run_in_threadpool(self._read, experiment_id, before)),
                asked_at=time.monotonic(),
            )
            self._forget()
            self._reads[experiment_id] = read
        # The stream that started the read may be closed while others wait for it.
        return await asyncio.shield(read.answer)

    def read_epochs(self, run_ids: Sequence[int]) -> dict[int, list[EpochMetric]]:
        """Every recorded epoch of the runs."""
        with self._database.transaction() as session:
            return read_metrics(session, run_ids)

    def _read(self, experiment_id: int, before: Snapshot | None) -> Snapshot | None:
        try:
            with self._database.transaction() as session:
                record = read_experiment(session, experiment_id)
        except NotFoundError:
            return None
        experiment = view_experiment(record)
        version = next(self._versions)
        versions = [version] * len(experiment.runs)
        if before is not None:
            known = {
                run.id: (run, version)
                for run, version in zip(before.experiment.runs, before.versions, strict=True)
            }
            versions = [
                known[run.id][1] if known.get(run.id, (None,))[0] == run else version
                for run in experiment.runs
            ]
        return Snapshot(
            experiment=experiment,
            versions=versions,
            last_metrics=[run.last_metric for run in record.runs],
        )

    def _forget(self) -> None:
        oldest = time.monotonic() - FORGET_SECONDS
        self._reads = {key: read for key, read in self._reads.items() if read.asked_at > oldest}


def _find_snapshot(read: _Read | None) -> Snapshot | None:
    if read is None or read.answer.cancelled() or read.answer.exception() is not None:
        return None
    return read.answer.result()


def get_feed(request: Request) -> ExperimentFeed:
    """Get the app's feed."""
    feed: ExperimentFeed = request.app.state.feed
    return feed


FeedDep = Annotated[ExperimentFeed, Depends(get_feed)]
