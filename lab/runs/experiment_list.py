"""The list of experiments, summarized in the database: a long list costs no more than one page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.tables import UNFINISHED, EpochMetric, Experiment, Run
from lab.queue.workers import Workforce, read_workforce
from lab.runs.records import find_stall, select_last_epoch
from lab.runs.status import (
    ACTIVE,
    JOB_OF_RUN,
    STATUSES,
    Status,
    combine_statuses,
    explain_halt,
    is_stuck,
    select_status,
)

# Above every id: the cursor of a page without one.
LAST_ID = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class ListedExperiment:
    """One experiment without its runs; ``progress`` is the share of all epochs recorded, 0–1.

    ``num_runs_by_status`` names the statuses that occur. ``best_test_accuracy`` is the highest of the runs'
    last epochs. ``stalled`` says why nothing moves although it should.
    """

    id: int
    name: str
    dataset: str
    preset: str | None
    priority: int
    created_at: datetime
    status: Status
    num_runs_by_status: dict[Status, int]
    progress: float
    best_test_accuracy: float | None
    stalled: str | None


@dataclass(frozen=True, kw_only=True)
class ListFilter:
    """A filter for the list of experiments; None leaves nothing out.

    ``search`` is part of a name, in any case, or an id.
    """

    status: Status | None = None
    dataset: str | None = None
    search: str | None = None


def list_experiments(
    session: Session, *, limit: int, before_id: int | None = None, only: ListFilter | None = None
) -> list[ListedExperiment]:
    """List the newest experiments first, those older than ``before_id`` if given."""
    only = only or ListFilter()
    workforce = read_workforce(session)
    query = (
        sa.select(Experiment)
        .where(Experiment.id < (LAST_ID if before_id is None else before_id))
        .order_by(Experiment.id.desc())
        .limit(limit)
    )
    if only.dataset is not None:
        query = query.where(Experiment.dataset == only.dataset)
    if only.search is not None:
        query = query.where(_matches(only.search))
    if only.status is not None:
        query = query.where(_has_status(only.status, workforce))
    return _summarize(session, session.scalars(query).all(), workforce)


def _matches(search: str) -> sa.ColumnElement[bool]:
    """Match the search text against name and id, checked along the ids, newest first, page by page."""
    in_name = Experiment.name.icontains(search, autoescape=True)
    is_id = search.isascii() and search.isdecimal() and int(search) <= LAST_ID
    return sa.or_(in_name, Experiment.id == int(search)) if is_id else in_name


def _has_status(status: Status, workforce: Workforce) -> sa.ColumnElement[bool]:
    """Condition: a run of the enclosing query's experiment has ``status``, and none an earlier one."""

    def has_run(wanted: Sequence[Status]) -> sa.ColumnElement[bool]:
        runs = sa.select(Run.id).outerjoin(*JOB_OF_RUN).where(Run.experiment_id == Experiment.id)
        return runs.where(select_status(workforce).in_(wanted)).correlate(Experiment).exists()

    earlier = STATUSES[: STATUSES.index(status)]
    conditions = [has_run([status]), *([~has_run(earlier)] if earlier else [])]
    if status in ("running", "queued", "paused", "cancelled"):
        # Few experiments have unfinished runs: an index finds them.
        unfinished = sa.select(Run.experiment_id).where(UNFINISHED)
        conditions.insert(0, Experiment.id.in_(unfinished))
    return sa.and_(*conditions)


def _summarize(
    session: Session, experiments: Sequence[Experiment], workforce: Workforce
) -> list[ListedExperiment]:
    run = _select_runs([experiment.id for experiment in experiments], workforce)
    query = sa.select(
        run.c.experiment_id,
        run.c.status,
        sa.func.count(),
        sa.func.sum(run.c.num_epochs),
        sa.func.sum(run.c.epoch),
        sa.func.max(run.c.test_accuracy),
        sa.func.count().filter(run.c.is_stuck),
    ).group_by(run.c.experiment_id, run.c.status)
    groups: dict[int, list[_Group]] = {experiment.id: [] for experiment in experiments}
    for experiment_id, *values in session.execute(query):
        groups[experiment_id].append(_Group(*values))
    return [
        _sum_up(
            experiment,
            groups[experiment.id],
            stalled=_explain_stall(session, experiment.id, groups[experiment.id], workforce),
        )
        for experiment in experiments
    ]


def _select_runs(experiment_ids: Sequence[int], workforce: Workforce) -> sa.Subquery:
    """Select the values of each run that the list summarizes."""
    last_accuracy = (
        sa.select(EpochMetric.test_accuracy)
        .where(EpochMetric.run_id == Run.id, EpochMetric.epoch == select_last_epoch())
        .correlate(Run)
        .scalar_subquery()
    )
    query = (
        sa.select(
            Run.experiment_id,
            select_status(workforce).label("status"),
            Run.config["epochs"].as_integer().label("num_epochs"),
            sa.func.coalesce(select_last_epoch(), 0).label("epoch"),
            last_accuracy.label("test_accuracy"),
            is_stuck(workforce).label("is_stuck"),
        )
        .outerjoin(*JOB_OF_RUN)
        .where(Run.experiment_id.in_(experiment_ids))
    )
    return query.subquery()


@dataclass(frozen=True)
class _Group:
    """The runs of one experiment that have one status."""

    status: Status
    num_runs: int
    num_epochs: int
    num_epochs_done: int
    best_test_accuracy: float | None
    num_stuck: int


def _sum_up(experiment: Experiment, groups: list[_Group], *, stalled: str | None) -> ListedExperiment:
    num_epochs = sum(group.num_epochs for group in groups)
    accuracies = [group.best_test_accuracy for group in groups if group.best_test_accuracy is not None]
    return ListedExperiment(
        id=experiment.id,
        name=experiment.name,
        dataset=experiment.dataset,
        preset=experiment.preset,
        priority=experiment.priority,
        created_at=experiment.created_at,
        status=combine_statuses([group.status for group in groups]),
        num_runs_by_status={group.status: group.num_runs for group in groups},
        progress=sum(group.num_epochs_done for group in groups) / num_epochs if num_epochs else 1.0,
        best_test_accuracy=max(accuracies, default=None),
        stalled=stalled,
    )


def _explain_stall(
    session: Session, experiment_id: int, groups: list[_Group], workforce: Workforce
) -> str | None:
    active = [group for group in groups if group.status in ACTIVE]
    if not active or any(group.status == "running" and group.num_stuck < group.num_runs for group in active):
        return None
    if not workforce.alive:
        return explain_halt(workforce)
    return find_stall(session, experiment_id) if any(group.num_stuck for group in active) else None
