"""Read digits."""

from functools import partial

from fastapi import APIRouter
from sqlalchemy.orm import Session

from lab.datasets.load import DATASETS
from lab.errors import InvalidImageError, LabError, NoTrainedModelError
from lab.runs.records import RunRecord, list_completed_runs, read_experiment, read_run, read_weights
from service.dependencies import SessionDep
from service.predict.answers import answer_pictures, view_preprocessing, view_reading, warn_of_run
from service.predict.explanations import compute_saliency
from service.predict.novelty import NoveltyDetectorsDep
from service.predict.panel import Panel, turn_upright
from service.predict.predictor import PredictorDep, keep_best_per_configuration, rank_runs, scale_pixels
from service.predict.preparation import PreparedPicture
from service.predict.requests import PredictionOptions
from service.predict.schemas import BatchOut, FailedPicture, PredictionOut, SaliencyOut
from service.predict.uploads import BODY_SCHEMA, PreparedDep, fit_to_dataset

router = APIRouter(tags=["predict"])


@router.post("/predict", openapi_extra=BODY_SCHEMA)
def predict(
    upload: PreparedDep, predictor: PredictorDep, detectors: NoveltyDetectorsDep, session: SessionDep
) -> PredictionOut | BatchOut:
    """Read the digits on a picture: a multipart field `file`, its bare bytes, or JSON.

    JSON has `image` (base64) or `pixels`. Several files, `images`, or a batch of `pixels` are answered with
    `results`, each an answer or its own `error`.

    The best completed run answers, or the one named by `run_id`; `experiment_id` and `normalization` have
    every run they fit answer, the best of them first. With `best_per_configuration` the best run of each
    configuration, known by its label, answers alone; with `models=experiment` all runs of the experiment
    answer together.
    """
    panel = Panel(
        runs=_select_runs(session, upload.options),
        is_ensemble=upload.options.models == "experiment",
        predictor=predictor,
        detectors=detectors,
        read_weights=partial(read_weights, session),
    )
    pictures = [picture for picture in upload.pictures if isinstance(picture, PreparedPicture)]
    answers = iter(answer_pictures(pictures, panel, options=upload.options))
    if not upload.is_batch:
        return next(answers)
    return BatchOut(
        results=[
            FailedPicture(error=picture.code, detail=str(picture))
            if isinstance(picture, LabError)
            else next(answers)
            for picture in upload.pictures
        ]
    )


@router.post("/predict/saliency", openapi_extra=BODY_SCHEMA)
def explain_prediction(
    upload: PreparedDep, predictor: PredictorDep, detectors: NoveltyDetectorsDep, session: SessionDep
) -> SaliencyOut:
    """Show which pixels a run's prediction rests on; the body is that of `/predict`, with one picture.

    The run named by `run_id` is asked, or else the best of those that `/predict` would ask.
    """
    picture = upload.pictures[0]
    if upload.is_batch or isinstance(picture, LabError):
        raise InvalidImageError("Send one picture; POST /predict with explain=saliency takes several.")
    run = _select_runs(session, upload.options)[0]
    panel = Panel(
        runs=[run],
        is_ensemble=False,
        predictor=predictor,
        detectors=detectors,
        read_weights=partial(read_weights, session),
    )
    figure = turn_upright(picture.figures[0], panel)
    prepared = fit_to_dataset(figure, dataset=run.config.dataset)
    reading = view_reading(run, panel.read([figure], run)[0])
    network = panel.find_network()
    saliency = compute_saliency(network, scale_pixels(prepared.pixels), digit=reading.digit)
    return SaliencyOut(
        **reading.model_dump(),
        saliency=saliency.tolist(),
        preprocessing=view_preprocessing(prepared),
        warnings=[*picture.warnings, *warn_of_run(run)],
    )


def _select_runs(session: Session, options: PredictionOptions) -> list[RunRecord]:
    """The runs that are to answer, the best first.

    Raises:
        NotFoundError: no run or experiment of that id.
        RunNotFinishedError: the run named has not completed.
        NoTrainedModelError: nothing that fits has completed.
    """
    if options.run_id is not None:
        run = read_run(session, options.run_id)
        read_weights(session, run)
        return [run]
    if options.experiment_id is not None:
        read_experiment(session, options.experiment_id)
    runs = list_completed_runs(session, experiment_id=options.experiment_id)
    if options.normalization is not None:
        runs = [run for run in runs if run.config.normalization == options.normalization]
    if options.experiment_id is None:
        runs = [run for run in runs if DATASETS[run.config.dataset].shows_digits]
    if not runs:
        asked = " that fits" if options.experiment_id or options.normalization else " that reads digits"
        raise NoTrainedModelError(
            f"No run{asked} has completed training; POST /experiments trains some, GET /experiments shows "
            "how far they are."
        )
    ranked = rank_runs(runs)
    if options.best_per_configuration:
        return keep_best_per_configuration(ranked)
    if options.models == "experiment":
        return [run for run in ranked if run.experiment_id == ranked[0].experiment_id]
    is_selected = options.experiment_id is not None or options.normalization is not None
    return ranked if is_selected else ranked[:1]
