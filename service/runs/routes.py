"""One run: its state, its network layer by layer, its first epoch, its trained weights."""

import hashlib

from fastapi import APIRouter, Response
from pydantic import BaseModel

from lab.experiments.architecture import LayerDescription
from lab.runs.epochs import PROBE_SIZE, LayerStatistics
from lab.runs.layer_statistics import read_layer_statistics
from lab.runs.records import read_weights
from service.dependencies import DRAWING, RunDep, SessionDep
from service.drawing.rendering import respond_with_figure
from service.experiments.responses import RunOut, view_run
from service.runs.architecture_figure import draw_architecture

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"])


class ArchitectureOut(BaseModel):
    """A run's network; shapes are (C, H, W), multiply-adds are per image."""

    run_id: int
    label: str
    layers: list[LayerDescription]
    parameters: int
    multiply_adds: int


class LayerStatisticsOut(BaseModel):
    """A run's layers over its first epoch, by step and layer, on the first ``num_images`` training images.

    ``layer`` numbers the convolutions. ``gradient_norm`` is the L2 norm of the gradient of the mean
    cross-entropy, without the penalty, by the convolution's weights; ``activation_mean`` and
    ``activation_variance`` are those of the convolution's output, before any normalization. Null is not
    finite. ``missing`` says why there are none.
    """

    run_id: int
    label: str
    num_images: int
    statistics: list[LayerStatistics]
    missing: str | None


@router.get("")
def show_run(run: RunDep) -> RunOut:
    """Show one run."""
    return view_run(run)


@router.get("/architecture")
def show_architecture(run: RunDep) -> ArchitectureOut:
    """Show the run's network layer by layer: type, output shape, parameters, multiply-adds per image."""
    layers = run.config.layers
    return ArchitectureOut(
        run_id=run.id,
        label=run.config.label,
        layers=layers,
        parameters=run.config.num_parameters,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
    )


@router.get("/architecture.png", response_class=Response, dependencies=[DRAWING])
def draw_run_architecture(run: RunDep) -> Response:
    """Draw the run's network with its normalization layers marked."""
    return respond_with_figure(
        draw_architecture(run.config.layers, title=f"Run {run.id}: {run.config.label}")
    )


@router.get("/layer-statistics")
def show_layer_statistics(run: RunDep, session: SessionDep) -> LayerStatisticsOut:
    """Show gradient norms, activation means and variances of each layer at steps of the first epoch."""
    statistics = read_layer_statistics(session, [run.id])[run.id]
    missing = (
        f"Run {run.id} has no layer statistics: they are recorded during the first epoch, which it "
        f"{'has not begun' if run.epoch == 0 else 'ended before this version recorded them'}."
    )
    return LayerStatisticsOut(
        run_id=run.id,
        label=run.config.label,
        num_images=PROBE_SIZE,
        statistics=statistics,
        missing=None if statistics else missing,
    )


@router.get("/weights", response_class=Response)
def download_weights(run: RunDep, session: SessionDep) -> Response:
    """Download the trained network's state dict as a safetensors file; its SHA-256 is the ETag."""
    weights = read_weights(session, run)
    return Response(
        weights,
        media_type="application/octet-stream",
        headers={
            "ETag": f'"{hashlib.sha256(weights).hexdigest()}"',
            "Content-Disposition": f'attachment; filename="run-{run.id}.safetensors"',
        },
    )
