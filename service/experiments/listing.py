"""Experiments: list, read, curves."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from lab.database.tables import EpochMetric
from lab.runs.experiment_list import ListFilter, list_experiments
from lab.runs.records import read_experiment, read_metrics
from lab.runs.status import Status
from service.dependencies import RowId, SessionDep
from service.experiments.responses import ExperimentOut, ExperimentPage, view_experiment, view_summary

router = APIRouter(prefix="/experiments", tags=["experiments"])

PAGE_SIZE = 50


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
    """Which experiments are asked for."""
    return ListFilter(status=status, dataset=dataset, search=search or None)


@router.get("")
def show_experiments(
    session: SessionDep,
    only: Annotated[ListFilter, Depends(read_filter)],
    limit: Annotated[int, Query(ge=1, le=200)] = PAGE_SIZE,
    cursor: Annotated[RowId | None, Query(description="next_cursor of the page before.")] = None,
) -> ExperimentPage:
    """List experiments, newest first."""
    # One more than asked for tells whether there is a next page.
    found = list_experiments(session, limit=limit + 1, before_id=cursor, only=only)
    shown = found[:limit]
    return ExperimentPage(
        experiments=[view_summary(experiment) for experiment in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.get("/{experiment_id}")
def show_experiment(experiment_id: RowId, session: SessionDep) -> ExperimentOut:
    """One experiment with its runs."""
    return view_experiment(read_experiment(session, experiment_id))


CURVE_FIELDS = (
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
)


@router.get("/{experiment_id}/curves")
def show_curves(experiment_id: RowId, session: SessionDep) -> dict[str, Any]:
    """Every run's figures, epoch by epoch; the validation lists hold null where none were held out."""
    experiment = read_experiment(session, experiment_id)
    metrics = read_metrics(session, [run.id for run in experiment.runs])

    def list_values(rows: list[EpochMetric], name: str) -> list[Any]:
        return [getattr(row, name) for row in rows]

    return {
        "runs": [
            {
                "run_id": run.id,
                "label": run.config.label,
                "normalization": run.config.normalization,
                "penalty": run.config.penalty,
                "seed": run.config.seed,
                "epochs": list_values(metrics[run.id], "epoch"),
                **{name: list_values(metrics[run.id], name) for name in CURVE_FIELDS},
            }
            for run in experiment.runs
        ]
    }
