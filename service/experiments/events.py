"""An experiment's events as they happen, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from lab.database.tables import EpochMetric
from lab.runs.records import read_experiment
from lab.runs.status import ACTIVE
from service.dependencies import ResourcesDep, RowId, SessionDep
from service.experiments.event_cursor import decode_cursor, encode_cursor
from service.experiments.feed import POLL_SECONDS, ExperimentFeed, FeedDep, Snapshot
from service.experiments.responses import EpochOut, ExperimentSummary, view_epoch

router = APIRouter(prefix="/experiments", tags=["experiments"])

# Delay before a client reconnects.
RECONNECT_MILLISECONDS = 2_000


@dataclass(kw_only=True)
class Stream:
    """One client's position in a stream: the last epoch sent of each run, and the last state sent."""

    experiment_id: int
    epochs_sent: list[int]
    version_sent: int = 0
    summary_sent: ExperimentSummary | None = None
    warnings_sent: list[str] = field(default_factory=list)


def open_stream(
    experiment_id: RowId,
    session: SessionDep,
    last_event_id: Annotated[str | None, Header(description="Id of the last event received.")] = None,
    since: Annotated[
        str | None,
        Query(description="The same, for a first connection; 0 sends every epoch from the beginning."),
    ] = None,
) -> Stream:
    """Find the client's position; errors are answered here, before the stream begins.

    Raises:
        NotFoundError: there is no such experiment.
        InvalidRequestError: the id is not one of this experiment's events.
    """
    recorded = [run.epoch for run in read_experiment(session, experiment_id).runs]
    cursor = last_event_id or since
    if cursor is None:
        return Stream(experiment_id=experiment_id, epochs_sent=recorded)
    epochs_sent = decode_cursor(cursor, num_runs=len(recorded))
    return Stream(experiment_id=experiment_id, epochs_sent=list(map(min, epochs_sent, recorded)))


@router.get("/{experiment_id}/events", response_class=EventSourceResponse)
async def stream_events(
    resources: ResourcesDep, feed: FeedDep, stream: Annotated[Stream, Depends(open_stream)]
) -> AsyncIterator[ServerSentEvent]:
    """Follow the experiment: server-sent events, resumed by `Last-Event-ID`.

    First `experiment`, as `GET /experiments/{id}` gives it, and again when seeds are added or its warnings
    change; then, as they happen, `epoch` (one epoch's figures), `run` (a run whose status or figures changed)
    and `summary` (the experiment without its runs). `end` comes when no run will change any more, `deleted`
    when the experiment is; then the stream is closed.
    """
    snapshot = await feed.read(stream.experiment_id)
    if snapshot is not None:
        yield _tell_experiment(stream, snapshot)
    while snapshot is not None:
        has_more_runs = len(snapshot.experiment.runs) > len(stream.epochs_sent)
        if has_more_runs or snapshot.experiment.warnings != stream.warnings_sent:
            yield _tell_experiment(stream, snapshot)
        async for event in _tell_changes(feed, stream, snapshot):
            yield event
        if snapshot.experiment.status not in (*ACTIVE, "paused") and not snapshot.experiment.is_settling:
            yield ServerSentEvent(event="end", data={"id": stream.experiment_id})
            return
        await asyncio.sleep(POLL_SECONDS)
        if resources.is_stopping.is_set():
            return
        snapshot = await feed.read(stream.experiment_id)
    yield ServerSentEvent(event="deleted", data={"id": stream.experiment_id})


def _tell_experiment(stream: Stream, snapshot: Snapshot) -> ServerSentEvent:
    # Runs that were added come last; a snapshot half a second old may lack them.
    del stream.epochs_sent[len(snapshot.experiment.runs) :]
    stream.epochs_sent += [0] * (len(snapshot.experiment.runs) - len(stream.epochs_sent))
    stream.version_sent = max(snapshot.versions, default=0)
    stream.summary_sent = _summarize(snapshot)
    stream.warnings_sent = snapshot.experiment.warnings
    return ServerSentEvent(
        event="experiment",
        data=snapshot.experiment,
        id=encode_cursor(stream.epochs_sent),
        retry=RECONNECT_MILLISECONDS,
    )


async def _tell_changes(
    feed: ExperimentFeed, stream: Stream, snapshot: Snapshot
) -> AsyncIterator[ServerSentEvent]:
    for index, epoch in await _find_new_epochs(feed, stream, snapshot):
        stream.epochs_sent[index] = epoch.epoch
        yield ServerSentEvent(event="epoch", data=epoch, id=encode_cursor(stream.epochs_sent))
    for run, version in zip(snapshot.experiment.runs, snapshot.versions, strict=True):
        if version > stream.version_sent:
            yield ServerSentEvent(event="run", data=run)
    stream.version_sent = max(stream.version_sent, *snapshot.versions, 0)
    summary = _summarize(snapshot)
    if summary != stream.summary_sent:
        stream.summary_sent = summary
        yield ServerSentEvent(event="summary", data=summary)


async def _find_new_epochs(
    feed: ExperimentFeed, stream: Stream, snapshot: Snapshot
) -> list[tuple[int, EpochOut]]:
    """The epochs that the client has not been sent, with their run's index."""
    found: list[tuple[int, EpochMetric]] = []
    behind: dict[int, int] = {}
    for index, (metric, sent) in enumerate(zip(snapshot.last_metrics, stream.epochs_sent, strict=True)):
        if metric is not None and metric.epoch == sent + 1:
            found.append((index, metric))
        elif metric is not None and metric.epoch > sent:
            behind[metric.run_id] = index
    if behind:
        metrics = await run_in_threadpool(feed.read_epochs, list(behind))
        for run_id, index in behind.items():
            sent = stream.epochs_sent[index]
            found += [(index, metric) for metric in metrics[run_id] if metric.epoch > sent]
    return [(index, view_epoch(metric)) for index, metric in found]


def _summarize(snapshot: Snapshot) -> ExperimentSummary:
    return ExperimentSummary(
        **{name: getattr(snapshot.experiment, name) for name in ExperimentSummary.model_fields}
    )
