"""An experiment's curves and comparisons, drawn."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from lab.errors import NotFoundError
from lab.runs.records import read_experiment
from service.dependencies import DRAWING, RowId, SessionDep
from service.drawing.rendering import IMAGE_FORMATS, MEDIA_TYPES, respond_with_figure
from service.plots.catalog import PlotCatalog

router = APIRouter(prefix="/experiments/{experiment_id}/plots", tags=["plots"], dependencies=[DRAWING])

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
    """What plots there are; with ``Accept: image/png`` the overview itself.

    Those of means and intervals are there where a configuration has several seeds, `ranking` and `verdicts`
    where there are several configurations, `batch-size` where it varies.
    """
    catalog = PlotCatalog(session, read_experiment(session, experiment_id), normalizations=normalizations)
    if accept.split(",")[0].split(";")[0].strip() in ("image/png", "image/*"):
        return respond_with_figure(catalog.draw("overview"))
    base = f"/experiments/{experiment_id}/plots"
    suffix = f"?normalizations={normalizations}" if normalizations else ""
    return {
        "plots": [
            {"name": name, "title": title, "url": f"{base}/{name}.png{suffix}"}
            for name, title in catalog.titles.items()
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
    catalog = PlotCatalog(session, read_experiment(session, experiment_id), normalizations=normalizations)
    figure = catalog.draw(name)
    return respond_with_figure(figure, image_format=image_format)
