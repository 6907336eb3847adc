"""The web application, built from settings."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool

from lab.database.engine import Database
from lab.datasets.load import DATASETS
from lab.experiments.planning import ExperimentRequest, plan_experiment
from lab.queue.job_queue import JobQueue, upgrade_queue
from lab.runs.control import submit_experiment
from lab.runs.records import has_experiments
from lab.settings import Settings
from service import system
from service.appendix import routes as appendix
from service.caretaker import Caretaker
from service.comparison import routes as comparison
from service.dashboard_files import serve_dashboard
from service.dependencies import Resources
from service.errors import add_error_handlers
from service.experiments import control, events, seeds, submission
from service.experiments import listing as experiments
from service.experiments.feed import ExperimentFeed
from service.guards import BodyLimit, JsonByDefault, guard
from service.mistakes import routes as mistakes
from service.plots import routes as plots
from service.predict import routes as predict
from service.predict.novelty import NoveltyDetectors
from service.predict.predictor import Predictor
from service.report import routes as report
from service.results import routes as results
from service.runs import routes as runs
from service.test_images import TestImages

logger = logging.getLogger(__name__)

DESCRIPTION = (
    "Which normalization, with which regularization, makes a small digit classifier better? Queue training "
    "runs for every configuration and seed, and compare their results."
)

GUARDED_ROUTES = (
    submission,
    experiments,
    results,
    comparison,
    report,
    plots,
    mistakes,
    control,
    seeds,
    events,
    runs,
    predict,
    appendix,
    system,
)


def create_app(settings: Settings) -> FastAPI:
    """Build the service on the settings' database, whose schema is brought up to date."""
    app = build_routes()
    open_resources(app, settings)
    return app


def open_resources(app: FastAPI, settings: Settings) -> None:
    """Give the app its database, queue and caches; it closes them when it ends."""
    database = Database(settings.database_url)
    database.upgrade()
    upgrade_queue(database)
    queue = JobQueue(database)
    if settings.submit_study:
        submit_study_once(database, queue)
    app.state.resources = Resources(settings=settings, database=database, queue=queue)
    app.state.feed = ExperimentFeed(database)
    app.state.test_images = TestImages(settings.data_dir)
    app.state.predictor = Predictor()
    app.state.novelty_detectors = NoveltyDetectors(app.state.test_images)


@asynccontextmanager
async def hold_resources(app: FastAPI) -> AsyncIterator[None]:
    """Look after experiments while the app runs; close queue and database when it ends."""
    caretaker = Caretaker(app.state.resources)
    caretaker.start()
    yield
    await run_in_threadpool(caretaker.stop)
    app.state.resources.queue.close()
    app.state.resources.database.close()


def build_routes() -> FastAPI:
    """Build the app with every route and guard; settings and database are read from its state."""
    app = FastAPIOffline(
        title="Normalization Lab",
        description=DESCRIPTION,
        version="0.1.0",
        lifespan=hold_resources,
        redoc_url=None,
    )
    app.add_middleware(JsonByDefault)
    app.add_middleware(BodyLimit)
    add_error_handlers(app)
    guarded = [Depends(guard)]
    for module in GUARDED_ROUTES:
        app.include_router(module.router, dependencies=guarded)
    app.include_router(mistakes.run_router, dependencies=guarded)
    app.include_router(system.health_router)
    serve_dashboard(app)
    return app


def submit_study_once(database: Database, queue: JobQueue) -> None:
    """Queue the study on the embedded digits if there is no experiment yet."""
    with database.transaction() as session:
        if has_experiments(session):
            return
        request = ExperimentRequest(name=None, configs=None, grid=None, seeds=None, recipe={})
        spec = plan_experiment(request, dataset=DATASETS["digits"])
        submit_experiment(session, queue, spec=spec, request={"dataset": "digits"})
        logger.info("Submitted the study on the embedded digits.")
