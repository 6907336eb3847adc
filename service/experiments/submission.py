"""Submit an experiment, plan one, and the presets to begin with."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from lab.datasets.load import DatasetInfo, choose_default_dataset, ensure_dataset, find_dataset
from lab.experiments.cautions import find_warnings
from lab.experiments.planning import ExperimentSpec, plan_experiment
from lab.experiments.presets import PRESETS
from lab.experiments.tuning import plan_tuning
from lab.runs.control import submit_experiment
from lab.runs.durations import estimate_duration
from lab.runs.records import read_experiment
from service.dependencies import ResourcesDep, SessionDep
from service.experiments.requests import ExperimentIn
from service.experiments.responses import ExperimentOut, view_experiment

router = APIRouter(tags=["experiments"])


class EstimateOut(BaseModel):
    """The estimated duration of an experiment once it starts, and the basis of the estimate."""

    estimated_seconds: float | None = Field(description="null where nothing alike was trained before.")
    estimate_basis: str = Field(description="What the estimate rests on, or why there is none.")


class SubmittedOut(ExperimentOut, EstimateOut):
    """An experiment just queued."""


class PlanOut(EstimateOut):
    """The runs that a request would queue."""

    name: str
    dataset: str
    preset: str | None
    configurations: list[str] = Field(description="Their labels.")
    seeds: list[int]
    num_runs: int
    num_tuning_runs: int = Field(description="Runs that try learning rates before.")
    warnings: list[str] = Field(description="What the figures could not say, by the plan itself.")


class PresetOut(BaseModel):
    """A preset."""

    name: str
    title: str
    description: str
    request: dict[str, Any] = Field(description="The body that asks for the same runs.")
    num_configurations: int
    num_seeds: int


class PresetsOut(BaseModel):
    """All presets."""

    presets: list[PresetOut]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A request with its expanded plan, and that of the tuning before it, if any."""

    body: ExperimentIn
    spec: ExperimentSpec
    tuning_spec: ExperimentSpec | None
    dataset: DatasetInfo


def read_plan(resources: ResourcesDep, body: ExperimentIn | None = None) -> Planned:
    """Expand the request into its runs.

    Raises:
        InvalidConfigError: it could not be trained.
    """
    body, settings = body or ExperimentIn(), resources.settings
    name = body.dataset or choose_default_dataset(settings.default_dataset, data_dir=settings.data_dir)
    dataset = find_dataset(name)
    spec = plan_experiment(body.to_request(), dataset=dataset)
    return Planned(body=body, spec=spec, tuning_spec=plan_tuning(spec), dataset=dataset)


PlannedDep = Annotated[Planned, Depends(read_plan)]


def read_plan_with_data(resources: ResourcesDep, planned: PlannedDep) -> Planned:
    """Wait until the plan's data set is downloaded, which may take minutes, without holding a turn.

    Raises:
        DatasetUnavailableError: it cannot be had.
    """
    ensure_dataset(planned.dataset, data_dir=resources.settings.data_dir)
    return planned


@router.post("/experiments", status_code=202)
def create_experiment(
    response: Response,
    resources: ResourcesDep,
    planned: Annotated[Planned, Depends(read_plan_with_data)],
    session: SessionDep,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> SubmittedOut:
    """Queue an experiment. An empty body is the study: four configurations, one seed, 25 epochs.

    The answer names the data set used: the one asked for, or LAB_DEFAULT_DATASET. A request repeated with the
    same `Idempotency-Key` gives the same experiment, so that a lost answer can be asked for again.
    """
    estimate = _estimate(session, planned)
    experiment_id = submit_experiment(
        session,
        resources.queue,
        spec=planned.spec,
        request=planned.body.model_dump(exclude_unset=True),
        idempotency_key=idempotency_key,
    )
    response.headers["Location"] = f"/experiments/{experiment_id}"
    experiment = view_experiment(read_experiment(session, experiment_id))
    return SubmittedOut(**vars(experiment), **vars(estimate))


@router.post("/experiments/plan")
def show_plan(planned: PlannedDep, session: SessionDep) -> PlanOut:
    """Show what the same body would queue and roughly how long it would take; nothing is queued."""
    spec = planned.spec
    labels = list(dict.fromkeys(run.label for run in spec.runs))
    seeds = list(dict.fromkeys(run.seed for run in spec.runs))
    return PlanOut(
        name=spec.name,
        dataset=spec.dataset,
        preset=spec.preset,
        configurations=labels,
        seeds=seeds,
        num_runs=len(spec.runs),
        num_tuning_runs=len(planned.tuning_spec.runs) if planned.tuning_spec else 0,
        warnings=find_warnings(spec.runs, is_tuned=spec.tune is not None),
        **vars(_estimate(session, planned)),
    )


@router.get("/presets")
def show_presets() -> PresetsOut:
    """List the presets, each with its request."""
    return PresetsOut(
        presets=[PresetOut.model_validate(preset, from_attributes=True) for preset in PRESETS.values()]
    )


def _estimate(session: Session, planned: Planned) -> EstimateOut:
    specs = [planned.spec, *([planned.tuning_spec] if planned.tuning_spec else [])]
    runs = [run for spec in specs for run in spec.runs]
    found = estimate_duration(session, runs, dataset=planned.dataset.name)
    return EstimateOut(estimated_seconds=found.seconds, estimate_basis=found.basis)
