"""Read a digit."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from lab.datasets.load import DATASETS
from lab.errors import NoTrainedModelError
from lab.runs.records import RunRecord, list_completed_runs, read_experiment, read_run, read_weights
from service.data_urls import write_png_url
from service.dependencies import SessionDep
from service.predict.predictor import PredictorDep, Reading, keep_best_per_configuration, rank_runs
from service.predict.preparation import PreparedImage
from service.predict.requests import PredictionIn
from service.predict.uploads import BODY_SCHEMA, Upload, fit_to_dataset, prepare_upload, read_upload

router = APIRouter(tags=["predict"])


class ModelReading(BaseModel):
    """One run's prediction."""

    run_id: int
    experiment_id: int
    dataset: str
    label: str
    normalization: str
    digit: int
    class_name: str
    confidence: float
    probabilities: list[float]


class Preprocessing(BaseModel):
    """The steps from the picture to the network's input."""

    steps: list[str]
    image: str = Field(
        description="The 28×28 pixels that the answering network saw, as a data: URL of a PNG."
    )


class PredictionOut(BaseModel):
    """The prediction of the best run, and of each run that was asked."""

    digit: int
    class_name: str
    confidence: float
    probabilities: list[float] = Field(description="Ten numbers that sum to 1.")
    models: list[ModelReading] = Field(description="Best run first; the first gives the answer.")
    preprocessing: Preprocessing
    warnings: list[str]


class SaliencyOut(ModelReading):
    """One run's prediction, and the share of each pixel in it."""

    saliency: list[list[float]] = Field(
        description="28×28 shares of the log-probability of `digit`, in nats, by integrated gradients from "
        "black (Sundararajan et al. 2017): above 0 speaks for it, below 0 against it; black pixels have 0."
    )
    preprocessing: Preprocessing
    warnings: list[str]


UploadDep = Annotated[Upload, Depends(read_upload)]


@router.post("/predict", openapi_extra=BODY_SCHEMA)
def predict(upload: UploadDep, predictor: PredictorDep, session: SessionDep) -> PredictionOut:
    """Read the digit on a picture: a multipart field `file`, or JSON with `image` (base64) or `pixels`.

    The best completed run answers, or the one named by `run_id`; `experiment_id` and `normalization` have
    every run they fit answer, the best of them first. With `best_per_configuration` the best run of each
    configuration, known by its label, answers alone.
    """
    prepared = prepare_upload(upload)
    runs = _select_runs(session, upload.body)
    datasets = {run.config.dataset for run in runs}
    fitted = {name: fit_to_dataset(prepared, dataset=name) for name in datasets}
    readings = [
        predictor.read(
            fitted[run.config.dataset].pixels, run, read_weights=partial(read_weights, session, run)
        )
        for run in runs
    ]
    models = [_view_reading(reading) for reading in readings]
    best = models[0]
    return PredictionOut(
        digit=best.digit,
        class_name=best.class_name,
        confidence=best.confidence,
        probabilities=best.probabilities,
        models=models,
        preprocessing=_view_preprocessing(fitted[runs[0].config.dataset]),
        warnings=[*prepared.warnings, *_find_warnings(runs[0])],
    )


@router.post("/predict/saliency", openapi_extra=BODY_SCHEMA)
def explain_prediction(upload: UploadDep, predictor: PredictorDep, session: SessionDep) -> SaliencyOut:
    """Show which pixels a run's prediction rests on; the body is that of `/predict`.

    The run named by `run_id` is asked, or else the best of those that `/predict` would ask.
    """
    picture = prepare_upload(upload)
    run = _select_runs(session, upload.body)[0]
    prepared = fit_to_dataset(picture, dataset=run.config.dataset)
    reading, saliency = predictor.explain(
        prepared.pixels, run, read_weights=partial(read_weights, session, run)
    )
    return SaliencyOut(
        **_view_reading(reading).model_dump(),
        saliency=saliency,
        preprocessing=_view_preprocessing(prepared),
        warnings=[*prepared.warnings, *_find_warnings(run)],
    )


def _select_runs(session: Session, body: PredictionIn) -> list[RunRecord]:
    """The runs that are to answer, the best first.

    Raises:
        NotFoundError: no run or experiment of that id.
        RunNotFinishedError: the run named has not completed.
        NoTrainedModelError: nothing that fits has completed.
    """
    if body.run_id is not None:
        run = read_run(session, body.run_id)
        read_weights(session, run)
        return [run]
    if body.experiment_id is not None:
        read_experiment(session, body.experiment_id)
    runs = list_completed_runs(session, experiment_id=body.experiment_id)
    if body.normalization is not None:
        runs = [run for run in runs if run.config.normalization == body.normalization]
    if body.experiment_id is None:
        runs = [run for run in runs if DATASETS[run.config.dataset].shows_digits]
    if not runs:
        asked = " that fits" if body.experiment_id or body.normalization else " that reads digits"
        raise NoTrainedModelError(
            f"No run{asked} has completed training; POST /experiments trains some, GET /experiments shows "
            "how far they are."
        )
    ranked = rank_runs(runs)
    if body.best_per_configuration:
        return keep_best_per_configuration(ranked)
    is_selected = body.experiment_id is not None or body.normalization is not None
    return ranked if is_selected else ranked[:1]


def _view_reading(reading: Reading) -> ModelReading:
    config = reading.run.config
    return ModelReading(
        run_id=reading.run.id,
        experiment_id=reading.run.experiment_id,
        dataset=config.dataset,
        label=config.label,
        normalization=config.normalization,
        digit=reading.digit,
        class_name=DATASETS[config.dataset].class_names[reading.digit],
        confidence=reading.confidence,
        probabilities=reading.probabilities,
    )


def _find_warnings(run: RunRecord) -> list[str]:
    info = DATASETS[run.config.dataset]
    if not info.shows_digits:
        return [f"Run {run.id} was trained on {info.title}: its answer is a class of that, not a digit."]
    if info.name == "digits":
        return [
            f"Run {run.id} learned from the {info.train_size:,} small embedded digits; one trained on MNIST "
            "predicts better."
        ]
    return []


def _view_preprocessing(prepared: PreparedImage) -> Preprocessing:
    return Preprocessing(steps=prepared.steps, image=write_png_url(prepared.pixels))
