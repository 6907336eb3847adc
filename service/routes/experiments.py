"""Experiments: submit, list, read, curves."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from lab.datasets import choose_default_dataset, ensure_dataset, find_dataset
from lab.experiment_control import submit_experiment
from lab.experiment_list import ListFilter, list_experiments
from lab.experiment_specs import plan_experiment
from lab.records import read_experiment, read_metrics
from lab.run_status import Status
from lab.tables import EpochMetric
from service.dependencies import LabDep, SessionDep
from service.schemas import ExperimentIn, RowId
from service.views import ExperimentOut, ExperimentPage, view_experiment, view_summary

router = APIRouter(prefix="/experiments", tags=["experiments"])

PAGE_SIZE = 50


@router.post("", status_code=202)
def create_experiment(
    response: Response,
    lab: LabDep,
    session: SessionDep,
    body: ExperimentIn | None = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> ExperimentOut:
    """Queue an experiment. An empty body is the study: four configurations, one seed, 25 epochs.

    The answer names the data set used: the one asked for, or LAB_DEFAULT_DATASET. A request repeated with the
    same `Idempotency-Key` gives the same experiment, so that a lost answer can be asked for again.
    """
    body = body or ExperimentIn()
    request = body.to_request()
    data_dir = lab.settings.data_dir
    name = body.dataset or choose_default_dataset(lab.settings.default_dataset, data_dir=data_dir)
    dataset = find_dataset(name)
    spec = plan_experiment(request, dataset=dataset)
    ensure_dataset(dataset, data_dir=data_dir)
    experiment_id = submit_experiment(
        session,
        lab.queue,
        spec=spec,
        request=body.model_dump(exclude_unset=True),
        idempotency_key=idempotency_key,
    )
    response.headers["Location"] = f"/experiments/{experiment_id}"
    return view_experiment(read_experiment(session, experiment_id))


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
