"""Health, data sets, workers, versions and counts."""

from datetime import datetime
from typing import Literal

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


class HealthOut(BaseModel):
    """The service is well."""

    status: Literal["ok"] = "ok"


@health_router.get("/healthz")
def check_alive() -> HealthOut:
    """Answer if the process is alive."""
    return HealthOut()


@health_router.get("/readyz")
def check_ready(resources: ResourcesDep, session: SessionDep) -> HealthOut:
    """Answer if the database and the queue answer; 503 if not."""
    has_experiments(session)
    resources.queue.check()
    return HealthOut()


class DatasetOut(BaseModel):
    """A data set."""

    name: str
    title: str
    train_size: int
    test_size: int
    class_names: list[str]
    is_present: bool = Field(description="Whether it can be used without a download.")


class DatasetsOut(BaseModel):
    """The data sets."""

    datasets: list[DatasetOut]


@router.get("/datasets")
def show_datasets(resources: ResourcesDep) -> DatasetsOut:
    """List the data sets."""
    data_dir = resources.settings.data_dir
    return DatasetsOut(
        datasets=[
            DatasetOut(
                name=info.name,
                title=info.title,
                train_size=info.train_size,
                test_size=info.test_size,
                class_names=list(info.class_names),
                is_present=is_present(info, data_dir=data_dir),
            )
            for info in DATASETS.values()
        ]
    )


class SystemOut(BaseModel):
    """Versions, settings and the number of runs by status."""

    versions: dict[str, str] = Field(description="Of Python and the key packages.")
    database: str = Field(description="sqlite or postgresql.")
    device: str = Field(description="LAB_DEVICE of the service.")
    default_dataset: str = Field(description="LAB_DEFAULT_DATASET.")
    num_runs_by_status: dict[Status, int]


@router.get("/system")
def show_system(resources: ResourcesDep, session: SessionDep) -> SystemOut:
    """Show versions, database, device and the number of runs by status."""
    settings = resources.settings
    return SystemOut(
        versions=list_versions(),
        database=resources.database.engine.dialect.name,
        device=settings.device,
        default_dataset=settings.default_dataset,
        num_runs_by_status=count_runs_by_status(session),
    )


class WorkerOut(BaseModel):
    """A worker process."""

    id: str
    device: str
    started_at: datetime
    is_alive: bool = Field(description="Whether its last heartbeat is less than 15 seconds old.")
    is_stalled: bool = Field(description="Whether its job has not moved for 20 seconds.")
    silent_seconds: float = Field(description="Seconds since its last heartbeat.")
    idle_seconds: float | None = Field(description="Seconds since its job last moved; null without a job.")
    bundle_size: int = Field(description="Number of runs it trains at once.")


class WorkersOut(BaseModel):
    """The workers on this database."""

    workers: list[WorkerOut]


@router.get("/workers")
def show_workers(session: SessionDep) -> WorkersOut:
    """List the worker processes and whether they make progress."""
    workers = read_workforce(session).workers.values()
    return WorkersOut(workers=[WorkerOut.model_validate(worker, from_attributes=True) for worker in workers])


@router.get("/metrics", response_class=Response)
def show_metrics(session: SessionDep) -> Response:
    """Show counts for Prometheus."""
    registry = CollectorRegistry()
    runs = Gauge("lab_runs", "Runs by status.", ["status"], registry=registry)
    for status, count in count_runs_by_status(session).items():
        runs.labels(status).set(count)
    workers = Gauge("lab_workers", "Living workers.", registry=registry)
    workers.set(len(read_workforce(session).alive))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
