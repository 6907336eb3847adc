"""A service on a fresh database, and runs trained for it without waiting for a worker."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from filelock import FileLock

from lab.database.tables import Run
from lab.settings import Settings
from service.app import build_routes, create_app, open_resources
from service.dependencies import Resources
from tests.conftest import CACHE_DIR
from tests.worker.bench import CPU
from worker.engines.variants import set_up_backend
from worker.jobs import Trainer


@pytest.fixture(scope="session")
def routes() -> FastAPI:
    """The application without a database: FastAPI takes a tenth of a second to build its routes."""
    return build_routes()


@pytest.fixture
def app(routes: FastAPI, settings: Settings) -> FastAPI:
    """The application on the test's own database."""
    open_resources(routes, settings)
    return routes


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of the application that sees its errors as a stranger would."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def trainer(app: FastAPI) -> Trainer:
    """Trains runs in this process, as the worker would: ``trainer.perform(job_id)``."""
    return make_trainer(app)


def make_trainer(app: FastAPI) -> Trainer:
    resources: Resources = app.state.resources
    return Trainer(
        resources.database,
        resources.queue,
        backend=set_up_backend(CPU, cache_dir=CACHE_DIR),
        data_dir=resources.settings.data_dir,
        stop=threading.Event(),
    )


@pytest.fixture
def train(app: FastAPI, trainer: Trainer) -> Callable[[int], None]:
    """Performs the job that a run has now, if it has one."""

    def perform(run_id: int) -> None:
        with app.state.resources.database.transaction() as session:
            job_id = session.scalars(sa.select(Run.job_id).where(Run.id == run_id)).one()
        if job_id is not None:
            trainer.perform(job_id)

    return perform


@pytest.fixture(scope="session")
def trained_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with experiment 1: runs 1 (batch) and 2 (instance) completed, run 3 (layer) queued.

    Training takes seconds, so the first process that needs it trains for all that test side by side.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / "trained.db"
    with FileLock(folder / "trained.lock"):
        if not path.exists():
            unfinished = folder / "unfinished.db"
            _train(Settings(database_url=f"sqlite:///{unfinished}", data_dir=folder / "data"))
            unfinished.rename(path)
    return path


def _train(settings: Settings) -> None:
    app = create_app(settings)
    trainer = make_trainer(app)
    with TestClient(app) as client:
        configs = [
            {"normalization": "batch", "l2": 1e-3},
            {"normalization": "instance", "affine": False},
            {"normalization": "layer"},
        ]
        recipe = {"dataset": "digits", "epochs": 6, "batch_size": 32, "schedule": "onecycle"}
        assert client.post("/experiments", json={"name": "Three", "configs": configs, **recipe}).is_success
        database = app.state.resources.database
        with database.transaction() as session:
            job_ids = session.scalars(sa.select(Run.job_id).where(Run.id.in_([1, 2])).order_by(Run.id)).all()
        for job_id in job_ids:
            trainer.perform(str(job_id))
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture(scope="session")
def trained_client(trained_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a service on the trained database, for tests that only read."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(trained_database, folder / "lab.db")
    settings = Settings(
        database_url=f"sqlite:///{folder}/lab.db", data_dir=folder / "data", default_dataset="digits"
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client
