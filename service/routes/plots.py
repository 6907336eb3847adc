"""An experiment's curves, drawn."""

from dataclasses import replace
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Header, Query, Response
from matplotlib.figure import Figure
from sqlalchemy.orm import Session

from lab.configs import NORMALIZATIONS
from lab.errors import InvalidRequestError, NotFoundError
from lab.records import ExperimentRecord, read_experiment, read_metrics
from service.dependencies import SessionDep
from service.plotting.curves import METRIC_TITLES, Quantity, RunCurves, draw_metric, draw_overview, draw_run
from service.plotting.rendering import IMAGE_FORMATS, MEDIA_TYPES, render
from service.schemas import RowId

router = APIRouter(prefix="/experiments/{experiment_id}/plots", tags=["plots"])

Normalizations = Annotated[
    str | None, Query(description="Comma-separated; only the runs with one of these are drawn.")
]


@router.get("", response_model=None, responses={200: {"content": {"image/png": {}}}})
def show_plots(
    experiment_id: RowId,
    session: SessionDep,
    normalizations: Normalizations = None,
    accept: Annotated[str, Header()] = "",
) -> Response | dict[str, Any]:
    """What plots there are; with ``Accept: image/png`` the overview itself."""
    if accept.split(",")[0].split(";")[0].strip() in ("image/png", "image/*"):
        figure = _draw(session, experiment_id, "overview", normalizations)
        return Response(render(figure, image_format="png"), media_type="image/png")
    experiment = read_experiment(session, experiment_id)
    base = f"/experiments/{experiment.id}/plots"
    suffix = f"?normalizations={normalizations}" if normalizations else ""
    titles = {"overview": "All curves"}
    for metric, title in METRIC_TITLES.items():
        titles[metric] = title
    for run in _select_runs(experiment, normalizations).runs:
        label = f"{run.config.label}, seed {run.config.seed}"
        titles |= {f"run-{run.id}-{quantity}": f"{label}: {quantity}" for quantity in get_args(Quantity)}
    return {
        "plots": [
            {"name": name, "title": title, "url": f"{base}/{name}.png{suffix}"}
            for name, title in titles.items()
        ],
        "formats": list(IMAGE_FORMATS),
    }


@router.get(
    "/{filename}",
    response_class=Response,
    responses={200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}}},
)
def draw_plot(
    experiment_id: RowId, filename: str, session: SessionDep, normalizations: Normalizations = None
) -> Response:
    """One plot, as PNG, SVG or PDF by its ending."""
    name, _, ending = filename.rpartition(".")
    image_format = next((known for known in IMAGE_FORMATS if known == ending), None)
    if image_format is None:
        raise NotFoundError(f"There is no plot {filename}; a name ends in .{', .'.join(IMAGE_FORMATS)}.")
    figure = _draw(session, experiment_id, name, normalizations)
    return Response(render(figure, image_format=image_format), media_type=MEDIA_TYPES[image_format])


def _draw(session: Session, experiment_id: RowId, name: str, normalizations: str | None) -> Figure:
    experiment = _select_runs(read_experiment(session, experiment_id), normalizations)
    curves = _read_curves(session, experiment)
    if name == "overview":
        return draw_overview(list(curves.values()), title=experiment.name)
    for metric in METRIC_TITLES:
        if name == metric:
            return draw_metric(list(curves.values()), metric=metric)
    for run_id, run in curves.items():
        for quantity in get_args(Quantity):
            if name == f"run-{run_id}-{quantity}":
                return draw_run(run, quantity=quantity)
    raise NotFoundError(
        f"Experiment {experiment_id} has no plot {name!r}; "
        f"GET /experiments/{experiment_id}/plots lists those it has."
    )


def _select_runs(experiment: ExperimentRecord, normalizations: str | None) -> ExperimentRecord:
    """The experiment with only the runs of these normalizations, comma-separated; all if None."""
    if normalizations is None:
        return experiment
    wanted = {name.strip() for name in normalizations.split(",")}
    if unknown := wanted.difference(NORMALIZATIONS):
        raise InvalidRequestError(
            f"normalizations has {min(unknown)!r}; it can have {', '.join(NORMALIZATIONS)}, "
            "separated by commas."
        )
    runs = [run for run in experiment.runs if run.config.normalization in wanted]
    if not runs:
        present = dict.fromkeys(run.config.normalization for run in experiment.runs)
        raise InvalidRequestError(
            f"Experiment {experiment.id} has no run with {normalizations}; it has {', '.join(present)}."
        )
    return replace(experiment, runs=runs)


def _read_curves(session: Session, experiment: ExperimentRecord) -> dict[int, RunCurves]:
    metrics = read_metrics(session, [run.id for run in experiment.runs])
    return {
        run.id: RunCurves(
            run_id=run.id,
            label=run.config.label,
            normalization=run.config.normalization,
            penalty=run.config.penalty,
            seed=run.config.seed,
            epochs=[row.epoch for row in metrics[run.id]],
            train_loss=[row.train_loss for row in metrics[run.id]],
            train_accuracy=[row.train_accuracy for row in metrics[run.id]],
            validation_loss=[row.validation_loss for row in metrics[run.id]],
            validation_accuracy=[row.validation_accuracy for row in metrics[run.id]],
            test_loss=[row.test_loss for row in metrics[run.id]],
            test_accuracy=[row.test_accuracy for row in metrics[run.id]],
        )
        for run in experiment.runs
    }
