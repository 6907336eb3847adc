"""The web application, built from settings."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline

from lab.database import Database
from lab.datasets import DATASETS
from lab.experiment_control import submit_experiment
from lab.experiment_specs import ExperimentRequest, plan_experiment
from lab.job_queue import JobQueue, upgrade_queue
from lab.records import has_experiments
from lab.settings import Settings
from service.dashboard_files import serve_dashboard
from service.dependencies import Lab
from service.error_handlers import add_error_handlers
from service.experiment_feed import ExperimentFeed
from service.guards import BodyLimit, Guard, JsonByDefault
from service.image_store import ImageStore
from service.predictor import Predictor
from service.routes import (
    appendix,
    control,
    events,
    experiments,
    mistakes,
    plots,
    predict,
    report,
    results,
    runs,
    submission,
    system,
)

logger = logging.getLogger(__name__)

DESCRIPTION = (
    "Which normalization, with which regularization, makes a small digit classifier better? Queue training "
    "runs for every configuration and seed, and look at what they came to."
)

GUARDED_ROUTES = (
    submission,
    experiments,
    results,
    report,
    plots,
    mistakes,
    control,
    events,
    runs,
    predict,
    appendix,
    system,
)


def create_app(settings: Settings) -> FastAPI:
    """Build the service on the settings' database, whose schema is brought up to date."""
    database = Database(settings.database_url)
    database.upgrade()
    upgrade_queue(database)
    lab = Lab(
        settings=settings,
        database=database,
        queue=JobQueue(database),
        predictor=Predictor(),
        image_store=ImageStore(settings.data_dir),
        feed=ExperimentFeed(database),
    )
    if settings.submit_study:
        submit_study_once(lab)

    @asynccontextmanager
    async def close_with_app(_app: FastAPI) -> AsyncIterator[None]:
        yield
        lab.queue.close()
        database.close()

    app = FastAPIOffline(
        title="Normalization Lab",
        description=DESCRIPTION,
        version="0.1.0",
        lifespan=close_with_app,
        redoc_url=None,
    )
    app.state.lab = lab
    app.add_middleware(JsonByDefault)
    app.add_middleware(BodyLimit, max_body_size=settings.max_upload_bytes)
    add_error_handlers(app)
    guarded = [Depends(Guard(settings))]
    for module in GUARDED_ROUTES:
        app.include_router(module.router, dependencies=guarded)
    app.include_router(system.health_router)
    serve_dashboard(app)
    return app


def submit_study_once(lab: Lab) -> None:
    """Queue the study on the embedded digits if there is no experiment yet."""
    with lab.database.transaction() as session:
        if has_experiments(session):
            return
        request = ExperimentRequest(name=None, configs=None, grid=None, seeds=None, recipe={})
        spec = plan_experiment(request, dataset=DATASETS["digits"])
        submit_experiment(session, lab.queue, spec=spec, request={"dataset": "digits"})
        logger.info("Submitted the study on the embedded digits.")
