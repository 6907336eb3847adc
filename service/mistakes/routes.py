"""What an experiment's runs got wrong: image by image, and class by class."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from lab.datasets.load import DATASETS
from lab.errors import NotFoundError
from lab.experiments.configs import Normalization
from lab.runs.records import ExperimentRecord, read_experiment, read_run
from service.dependencies import DRAWING, RowId, SessionDep
from service.drawing.rendering import respond_with_figure
from service.mistakes.agreement import select_missed
from service.mistakes.answers import Answers, read_answers, read_run_answers, require_runs
from service.mistakes.by_image import collect_images, describe_agreement, describe_images
from service.mistakes.by_run import collect_mistakes, list_mistakes, make_strips
from service.mistakes.confusion import count_by_configuration, describe_confusions, describe_run_confusion
from service.mistakes.confusion_figure import draw_confusions
from service.mistakes.image_sheet import MOST_TILES, draw_shared_mistakes
from service.mistakes.one_image import describe_image
from service.mistakes.run_sheet import draw_misclassified as draw_misclassified_sheet
from service.mistakes.run_sheet import draw_misclassified_by_run
from service.mistakes.test_images import TestImagesDep

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["mistakes"])
run_router = APIRouter(prefix="/runs", tags=["runs"])

PAGE_SIZE = 50

Digit = Annotated[int, Query(ge=0, le=9)]
TrueClass = Annotated[Digit | None, Query(alias="true", description="Only images of this class, 0–9.")]
PredictedClass = Annotated[
    Digit | None, Query(alias="predicted", description="Only images that a run wrongly took for this class.")
]
MissedBy = Annotated[
    Literal["any", "every"] | Normalization,
    Query(
        description="any run; every run; or a normalization: images that most of its runs and no run of "
        "another normalization take for something else."
    ),
]


@dataclass
class ImageChoice:
    """Which of the misclassified images are meant."""

    true: TrueClass = None
    predicted: PredictedClass = None
    missed_by: MissedBy = "any"


Choice = Annotated[ImageChoice, Depends()]
MissedByRun = Annotated[RowId | None, Query(description="Only images that this run takes for another.")]


@router.get("/misclassified")
def show_misclassified(
    experiment_id: RowId,
    test_images: TestImagesDep,
    session: SessionDep,
    choice: Choice,
    run_id: MissedByRun = None,
    limit: Annotated[int, Query(ge=0, le=500, description="How many images.")] = PAGE_SIZE,
    offset: Annotated[int, Query(ge=0, lt=2**31, description="next_offset of the page before.")] = 0,
) -> dict[str, Any]:
    """Which test images the completed runs take for something else: across all runs, and run by run.

    `images` holds each image once, with its picture and who took it for what; those that most runs miss come
    first, or, with `run_id`, the surest mistakes of that run. The filters choose among `images` alone.
    `agreement[k]` is how many images exactly k runs miss.
    `runs` holds each run's own mistakes, the most confident first.
    """
    experiment = read_experiment(session, experiment_id)
    answers = read_answers(session, test_images, experiment)
    row = _find_row(answers, run_id, experiment=experiment)
    indices = select_missed(answers, **vars(choice), row=row)
    end = offset + limit
    return {
        "experiment_id": experiment.id,
        "dataset": experiment.dataset,
        "class_names": DATASETS[experiment.dataset].class_names,
        **describe_agreement(answers),
        "num_images": len(indices),
        "next_offset": end if end < len(indices) else None,
        "images": describe_images(answers, indices[offset:end]),
        "runs": [list_mistakes(answers, row) for row in range(len(answers.runs))],
        "unfinished_run_ids": _list_unfinished(experiment),
    }


@router.get("/misclassified.png", response_class=Response, dependencies=[DRAWING])
def draw_misclassified(
    experiment_id: RowId,
    test_images: TestImagesDep,
    session: SessionDep,
    choice: Choice,
    by: Annotated[
        Literal["image", "run"],
        Query(description="image: each image once, with who took it for what; run: a strip for each run."),
    ] = "image",
) -> Response:
    """A sheet of the images that most runs take for something else, or of each run's surest mistakes."""
    experiment = read_experiment(session, experiment_id)
    answers = require_runs(read_answers(session, test_images, experiment), experiment)
    title = f"{experiment.name}: misclassified test images"
    if by == "run":
        figure = draw_misclassified_by_run(make_strips(answers), title=title)
    else:
        indices = select_missed(answers, **vars(choice))
        shown = collect_images(answers, indices[:MOST_TILES], experiment=experiment)
        figure = draw_shared_mistakes(shown, title=title, num_total=len(indices))
    return respond_with_figure(figure)


@router.get("/images/{index}")
def show_image(
    experiment_id: RowId,
    index: Annotated[int, Path(ge=0, lt=2**31, description="Which test image, from 0.")],
    test_images: TestImagesDep,
    session: SessionDep,
) -> dict[str, Any]:
    """One test image, and the ten probabilities that each completed run gives it."""
    experiment = read_experiment(session, experiment_id)
    return describe_image(session, test_images, experiment, index=index)


@router.get("/confusion")
def show_confusion(experiment_id: RowId, test_images: TestImagesDep, session: SessionDep) -> dict[str, Any]:
    """What each configuration takes each class for, its completed seeds added up.

    `matrix[t][p]` counts the answers p to images of class t; `recall` and `precision` are by class.
    """
    experiment = read_experiment(session, experiment_id)
    answers = read_answers(session, test_images, experiment)
    return {
        "experiment_id": experiment.id,
        "dataset": experiment.dataset,
        "class_names": DATASETS[experiment.dataset].class_names,
        "configurations": describe_confusions(answers),
        "unfinished_run_ids": _list_unfinished(experiment),
    }


@router.get("/confusion.png", response_class=Response, dependencies=[DRAWING])
def draw_confusion(experiment_id: RowId, test_images: TestImagesDep, session: SessionDep) -> Response:
    """The confusion matrix of each configuration, its completed seeds added up."""
    experiment = read_experiment(session, experiment_id)
    answers = require_runs(read_answers(session, test_images, experiment), experiment)
    figure = draw_confusions(
        count_by_configuration(answers),
        class_names=DATASETS[experiment.dataset].class_names,
        title=f"{experiment.name}: confusion",
    )
    return respond_with_figure(figure)


@run_router.get("/{run_id}/misclassified")
def show_run_misclassified(run_id: RowId, test_images: TestImagesDep, session: SessionDep) -> dict[str, Any]:
    """The test images that the trained network gets wrong, the most confident mistakes first."""
    return list_mistakes(read_run_answers(session, test_images, read_run(session, run_id)))


@run_router.get("/{run_id}/misclassified.png", response_class=Response, dependencies=[DRAWING])
def draw_run_misclassified(run_id: RowId, test_images: TestImagesDep, session: SessionDep) -> Response:
    """A sheet of the most confident mistakes, with what each is and what it was taken for."""
    run = read_run(session, run_id)
    mistakes = collect_mistakes(read_run_answers(session, test_images, run))
    title = f"Run {run.id}: {run.config.label}, seed {run.config.seed}"
    figure = draw_misclassified_sheet(mistakes, title=title, num_total=len(mistakes))
    return respond_with_figure(figure)


@run_router.get("/{run_id}/confusion")
def show_run_confusion(run_id: RowId, test_images: TestImagesDep, session: SessionDep) -> dict[str, Any]:
    """What the trained network takes each class for: `matrix[t][p]` counts the answers p to class t."""
    return describe_run_confusion(read_run_answers(session, test_images, read_run(session, run_id)))


@run_router.get("/{run_id}/confusion.png", response_class=Response, dependencies=[DRAWING])
def draw_run_confusion(run_id: RowId, test_images: TestImagesDep, session: SessionDep) -> Response:
    """The confusion matrix, the mistakes coloured by how frequent they are."""
    run = read_run(session, run_id)
    figure = draw_confusions(
        count_by_configuration(read_run_answers(session, test_images, run)),
        class_names=DATASETS[run.config.dataset].class_names,
        title=f"Run {run.id}: {run.config.label}, seed {run.config.seed}",
    )
    return respond_with_figure(figure)


def _find_row(answers: Answers, run_id: int | None, *, experiment: ExperimentRecord) -> int | None:
    if run_id is None:
        return None
    ids = [run.id for run in answers.runs]
    if run_id not in ids:
        raise NotFoundError(
            f"Run {run_id} is not a completed run of experiment {experiment.id}; "
            f"{'none is' if not ids else 'these are: ' + ', '.join(map(str, ids))}."
        )
    return ids.index(run_id)


def _list_unfinished(experiment: ExperimentRecord) -> list[int]:
    return [run.id for run in experiment.runs if not run.is_completed]
