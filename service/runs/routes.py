"""Runs: read, architecture, mistakes, trained weights."""

import hashlib
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from lab.runs.records import read_run, read_weights
from service.dependencies import DRAWING, RowId, SessionDep
from service.drawing.rendering import respond_with_figure
from service.experiments.responses import RunOut, view_run
from service.runs.architecture_figure import draw_architecture

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("/{run_id}")
def show_run(run_id: RowId, session: SessionDep) -> RunOut:
    """One run."""
    return view_run(read_run(session, run_id))


@router.get("/{run_id}/architecture")
def show_architecture(run_id: RowId, session: SessionDep) -> dict[str, Any]:
    """The run's network layer by layer: type, output shape (C, H, W), parameters, multiply-adds per image."""
    run = read_run(session, run_id)
    layers = run.config.layers
    return {
        "run_id": run.id,
        "label": run.config.label,
        "layers": [asdict(layer) for layer in layers],
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
    }


@router.get("/{run_id}/architecture.png", response_class=Response, dependencies=[DRAWING])
def draw_run_architecture(run_id: RowId, session: SessionDep) -> Response:
    """The run's network drawn, its normalization layers marked."""
    run = read_run(session, run_id)
    figure = draw_architecture(run.config.layers, title=f"Run {run.id}: {run.config.label}")
    return respond_with_figure(figure)


@router.get("/{run_id}/weights", response_class=Response)
def download_weights(run_id: RowId, session: SessionDep) -> Response:
    """The trained network's state dict as a safetensors file, nothing else in it; its SHA-256 is the ETag."""
    run = read_run(session, run_id)
    weights = read_weights(session, run)
    return Response(
        weights,
        media_type="application/octet-stream",
        headers={
            "ETag": f'"{hashlib.sha256(weights).hexdigest()}"',
            "Content-Disposition": f'attachment; filename="run-{run.id}.safetensors"',
        },
    )
