"""Runs: read, architecture, mistakes, trained weights."""

import hashlib
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from lab.datasets.load import DATASETS
from lab.experiments.architecture import LayerDescription, describe_layers
from lab.experiments.configs import RunConfig
from lab.runs.records import read_run, read_weights
from service.dependencies import DRAWING, SessionDep
from service.drawing.rendering import render
from service.experiments.requests import RowId
from service.experiments.responses import RunOut, view_run
from service.mistakes.answers import read_run_answers
from service.mistakes.by_run import collect_mistakes, list_mistakes
from service.mistakes.confusion import count_by_configuration, describe_run_confusion
from service.mistakes.confusion_figure import draw_confusions
from service.mistakes.run_sheet import draw_misclassified
from service.mistakes.test_images import TestImagesDep
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
    layers = _describe(run.config)
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
    figure = draw_architecture(_describe(run.config), title=f"Run {run.id}: {run.config.label}")
    return Response(render(figure, image_format="png"), media_type="image/png")


@router.get("/{run_id}/misclassified")
def show_misclassified(run_id: RowId, test_images: TestImagesDep, session: SessionDep) -> dict[str, Any]:
    """The test images that the trained network gets wrong, the most confident mistakes first."""
    return list_mistakes(read_run_answers(session, test_images, read_run(session, run_id)))


@router.get("/{run_id}/misclassified.png", response_class=Response, dependencies=[DRAWING])
def draw_run_misclassified(run_id: RowId, test_images: TestImagesDep, session: SessionDep) -> Response:
    """A sheet of the most confident mistakes, with what each is and what it was taken for."""
    run = read_run(session, run_id)
    mistakes = collect_mistakes(read_run_answers(session, test_images, run))
    title = f"Run {run.id}: {run.config.label}, seed {run.config.seed}"
    figure = draw_misclassified(mistakes, title=title, num_total=len(mistakes))
    return Response(render(figure, image_format="png"), media_type="image/png")


@router.get("/{run_id}/confusion")
def show_confusion(run_id: RowId, test_images: TestImagesDep, session: SessionDep) -> dict[str, Any]:
    """What the trained network takes each class for: `matrix[t][p]` counts the answers p to class t."""
    return describe_run_confusion(read_run_answers(session, test_images, read_run(session, run_id)))


@router.get("/{run_id}/confusion.png", response_class=Response, dependencies=[DRAWING])
def draw_run_confusion(run_id: RowId, test_images: TestImagesDep, session: SessionDep) -> Response:
    """The confusion matrix, the mistakes coloured by how frequent they are."""
    run = read_run(session, run_id)
    figure = draw_confusions(
        count_by_configuration(read_run_answers(session, test_images, run)),
        class_names=DATASETS[run.config.dataset].class_names,
        title=f"Run {run.id}: {run.config.label}, seed {run.config.seed}",
    )
    return Response(render(figure, image_format="png"), media_type="image/png")


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


def _describe(config: RunConfig) -> list[LayerDescription]:
    return describe_layers(
        config.normalization, num_groups=config.num_groups, affine=config.affine, dropout=config.dropout
    )
