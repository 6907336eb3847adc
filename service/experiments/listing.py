"""List experiments; show one, with its runs or its curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from lab.database.tables import EpochMetric
from lab.runs.experiment_list import ListFilter, list_experiments
from lab.runs.records import RunRecord, read_metrics
from lab.runs.status import Status
from service.dependencies import ExperimentDep, RowId, SessionDep
from service.experiments.responses import (
    EpochOut,
    ExperimentOut,
    ExperimentPage,
    view_experiment,
    view_summary,
)

router = APIRouter(prefix="/experiments", tags=["experiments"])

PAGE_SIZE = 50
CURVES = tuple(name for name in EpochOut.model_fields if name not in ("run_id", "epoch", "seconds"))


def read_filter(
    status: Annotated[Status | None, Query(description="Only those of this status.")] = None,
    dataset: Annotated[str | None, Query(description="Only those on this data set.")] = None,
    search: Annotated[
        str | None,
        Query(
            max_length=200,
            pattern=r"^[^\x00]*$",
            description="Only those with this in their name, in any case, or as their id.",
        ),
    ] = None,
) -> ListFilter:
    """Read the filter from the query."""
    return ListFilter(status=status, dataset=dataset, search=search or None)


@router.get("")
def show_experiments(
    session: SessionDep,
    only: Annotated[ListFilter, Depends(read_filter)],
    limit: Annotated[int, Query(ge=1, le=200)] = PAGE_SIZE,
    cursor: Annotated[RowId | None, Query(description="next_cursor of the page before.")] = None,
) -> ExperimentPage:
    """List experiments, newest first."""
    # One more than the limit tells whether there is a next page.
    found = list_experiments(session, limit=limit + 1, before_id=cursor, only=only)
    shown = found[:limit]
    return ExperimentPage(
        experiments=[view_summary(experiment) for experiment in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.get("/{experiment_id}")
def show_experiment(experiment: ExperimentDep) -> ExperimentOut:
    """Show one experiment with its runs."""
    return view_experiment(experiment)


@dataclass(frozen=True, kw_only=True)
class RunCurvesOut:
    """A run's metrics by epoch; validation lists hold null where no images are held out."""

    run_id: int
    label: str
    normalization: str
    penalty: str
    seed: int
    epochs: list[int]
    learning_rate: list[float]
    train_loss: list[float]
    train_accuracy: list[float]
    validation_loss: list[float | None]
    validation_accuracy: list[float | None]
    test_loss: list[float]
    test_accuracy: list[float]


@dataclass(frozen=True)
class CurvesOut:
    """The curves of an experiment's runs."""

    runs: list[RunCurvesOut]


@router.get("/{experiment_id}/curves")
def show_curves(experiment: ExperimentDep, session: SessionDep) -> CurvesOut:
    """Show every run's metrics, epoch by epoch."""
    metrics = read_metrics(session, [run.id for run in experiment.runs])
    return CurvesOut([_list_curves(run, metrics[run.id]) for run in experiment.runs])


def _list_curves(run: RunRecord, rows: Sequence[EpochMetric]) -> RunCurvesOut:
    return RunCurvesOut(
        run_id=run.id,
        label=run.config.label,
        normalization=run.config.normalization,
        penalty=run.config.penalty,
        seed=run.config.seed,
        epochs=[row.epoch for row in rows],
        **{name: [getattr(row, name) for row in rows] for name in CURVES},
    )
