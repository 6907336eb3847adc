"""Plots of an experiment: the index, and each plot as PNG, SVG or PDF."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel

from lab.errors import InvalidRequestError, NotFoundError
from lab.experiments.configs import NORMALIZATIONS
from lab.runs.layer_statistics import read_layer_statistics
from lab.runs.records import read_metrics
from service.dependencies import DRAWING, ExperimentDep, SessionDep
from service.drawing.rendering import IMAGE_FORMATS, MEDIA_TYPES, respond_with_figure
from service.plots.catalog import PlotCatalog
from service.plots.reliability import collect_reliability
from service.test_images import TestImagesDep

router = APIRouter(prefix="/experiments/{experiment_id}/plots", tags=["plots"], dependencies=[DRAWING])


class PlotOut(BaseModel):
    """A plot and its address."""

    name: str
    title: str
    url: str


class PlotsOut(BaseModel):
    """The plots of an experiment; the ending of an address chooses the format."""

    plots: list[PlotOut]
    formats: list[str]


def read_normalizations(
    normalizations: Annotated[
        str | None, Query(description="Comma-separated; only the runs with one of these are drawn.")
    ] = None,
) -> tuple[str, ...] | None:
    """Read the list of normalizations.

    Raises:
        InvalidRequestError: a name that is no normalization.
    """
    if normalizations is None:
        return None
    names = tuple(name.strip() for name in normalizations.split(","))
    if unknown := set(names).difference(NORMALIZATIONS):
        raise InvalidRequestError(
            f"normalizations has {min(unknown)!r}; it can have {', '.join(NORMALIZATIONS)}, "
            "separated by commas."
        )
    return names


NormalizationsDep = Annotated[tuple[str, ...] | None, Depends(read_normalizations)]


def open_catalog(
    experiment: ExperimentDep,
    session: SessionDep,
    test_images: TestImagesDep,
    normalizations: NormalizationsDep,
) -> PlotCatalog:
    """Make the catalog of the experiment named in the path."""
    run_ids = [run.id for run in experiment.runs]
    return PlotCatalog(
        experiment,
        read_metrics=partial(read_metrics, session, run_ids),
        read_reliability=partial(collect_reliability, session, test_images),
        read_layer_statistics=partial(read_layer_statistics, session, run_ids),
        normalizations=normalizations,
    )


CatalogDep = Annotated[PlotCatalog, Depends(open_catalog)]


@router.get("", response_model=PlotsOut, responses={200: {"content": {"image/png": {}}}})
def show_plots(
    experiment: ExperimentDep,
    catalog: CatalogDep,
    normalizations: NormalizationsDep,
    accept: Annotated[str, Header()] = "",
) -> Response | PlotsOut:
    """List the plots; with `Accept: image/png`, draw the overview.

    Plots of means and intervals exist where a configuration has several seeds, `ranking` and `verdicts`
    where there are several configurations, `batch-size` where it varies, `tuning` where learning rates were
    tuned.
    """
    if accept.split(",")[0].split(";")[0].strip() in ("image/png", "image/*"):
        return respond_with_figure(catalog.find("overview").draw())
    base = f"/experiments/{experiment.id}/plots"
    suffix = f"?normalizations={','.join(normalizations)}" if normalizations else ""
    return PlotsOut(
        plots=[
            PlotOut(name=plot.name, title=plot.title, url=f"{base}/{plot.name}.png{suffix}")
            for plot in catalog.plots.values()
        ],
        formats=list(IMAGE_FORMATS),
    )


@router.get(
    "/{filename}",
    response_class=Response,
    responses={200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}}},
)
def draw_plot(filename: str, catalog: CatalogDep) -> Response:
    """Draw one plot, as PNG, SVG or PDF by its ending."""
    name, _, ending = filename.rpartition(".")
    image_format = next((known for known in IMAGE_FORMATS if known == ending), None)
    if image_format is None:
        raise NotFoundError(f"There is no plot {filename}; a name ends in .{', .'.join(IMAGE_FORMATS)}.")
    return respond_with_figure(catalog.find(name).draw(), image_format=image_format)
