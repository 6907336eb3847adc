"""Whether the service is well, who works for it, what data sets it has, what it counts."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel, Field

from lab.datasets.load import DATASETS, is_present
from lab.queue.workers import read_workforce
from lab.runs.records import count_runs_by_status, has_experiments
from lab.runs.status import Status
from service.dependencies import ResourcesDep, SessionDep
from service.versions import list_versions

health_router = APIRouter(tags=["system"])
router = APIRouter(tags=["system"])


@health_router.get("/healthz")
def tell_alive() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@health_router.get("/readyz")
def tell_ready(resources: ResourcesDep, session: SessionDep) -> dict[str, str]:
    """The database and the queue answer; 503 if not."""
    has_experiments(session)
    resources.queue.check()
    return {"status": "ok"}


@router.get("/datasets")
def show_datasets(resources: ResourcesDep) -> dict[str, Any]:
    """The data sets by name; `is_present` tells whether one can be used without a download."""
    return {
        "datasets": [
            {
                "name": info.name,
                "title": info.title,
                "train_size": info.train_size,
                "test_size": info.test_size,
                "class_names": info.class_names,
                "is_present": is_present(info, data_dir=resources.settings.data_dir),
            }
            for info in DATASETS.values()
        ]
    }


class SystemOut(BaseModel):
    """What the service runs on and what there is to do."""

    versions: dict[str, str] = Field(description="Of Python and the packages that count.")
    database: str = Field(description="sqlite or postgresql.")
    device: str = Field(description="LAB_DEVICE as the service has it.")
    default_dataset: str = Field(description="LAB_DEFAULT_DATASET.")
    num_runs_by_status: dict[Status, int]


@router.get("/system")
def show_system(resources: ResourcesDep, session: SessionDep) -> SystemOut:
    """Versions, database, device, and how many runs there are of each status."""
    settings = resources.settings
    return SystemOut(
        versions=list_versions(),
        database=resources.database.engine.dialect.name,
        device=settings.device,
        default_dataset=settings.default_dataset,
        num_runs_by_status=count_runs_by_status(session),
    )


class WorkerOut(BaseModel):
    """A worker process that is there."""

    id: str
    device: str
    started_at: datetime
    is_alive: bool = Field(description="Whether it was heard of in the last 15 seconds.")
    is_stalled: bool = Field(description="Whether its job has not moved for 20 seconds.")
    silent_seconds: float = Field(description="Since it was last heard of.")
    idle_seconds: float | None = Field(description="How long its job has not moved; null without a job.")
    bundle_size: int = Field(description="How many runs it trains at once to be well used.")


class WorkersOut(BaseModel):
    """The workers on this database."""

    workers: list[WorkerOut]


@router.get("/workers")
def show_workers(session: SessionDep) -> WorkersOut:
    """The worker processes that are there, and whether they move."""
    workers = read_workforce(session).workers.values()
    return WorkersOut(workers=[WorkerOut.model_validate(worker, from_attributes=True) for worker in workers])


@router.get("/metrics", response_class=Response)
def show_metrics(session: SessionDep) -> Response:
    """Counts for Prometheus."""
    registry = CollectorRegistry()
    runs = Gauge("lab_runs", "Runs by status.", ["status"], registry=registry)
    for status, count in count_runs_by_status(session).items():
        runs.labels(status).set(count)
    workers = Gauge("lab_workers", "Workers that are alive.", registry=registry)
    workers.set(len(read_workforce(session).alive))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
