"""Whether the service is well, what data sets it has, what it counts."""

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from lab.datasets import DATASETS, is_present
from lab.records import count_runs_by_status
from service.dependencies import LabDep, SessionDep

health_router = APIRouter(tags=["system"])
router = APIRouter(tags=["system"])


@health_router.get("/healthz")
def tell_alive() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@health_router.get("/readyz")
def tell_ready(lab: LabDep, session: SessionDep) -> dict[str, str]:
    """The database and the queue answer; 503 if not."""
    count_runs_by_status(session)
    lab.queue.check()
    return {"status": "ok"}


@router.get("/datasets")
def show_datasets(lab: LabDep) -> dict[str, Any]:
    """The data sets by name; `is_present` tells whether one can be used without a download."""
    return {
        "datasets": [
            {
                "name": info.name,
                "title": info.title,
                "train_size": info.train_size,
                "test_size": info.test_size,
                "class_names": info.class_names,
                "is_present": is_present(info, data_dir=lab.settings.data_dir),
            }
            for info in DATASETS.values()
        ]
    }


@router.get("/metrics", response_class=Response)
def show_metrics(session: SessionDep) -> Response:
    """Counts for Prometheus."""
    registry = CollectorRegistry()
    runs = Gauge("lab_runs", "Runs by status.", ["status"], registry=registry)
    for status, count in count_runs_by_status(session).items():
        runs.labels(status).set(count)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
