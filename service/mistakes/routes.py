"""Misclassified images and confusion matrices, of experiments and of single runs."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from lab.datasets.load import DATASETS
from lab.errors import NotFoundError
from lab.experiments.configs import Normalization
from lab.runs.records import ExperimentRecord
from service.dependencies import DRAWING, ExperimentDep, RowId, RunDep, SessionDep
from service.drawing.rendering import respond_with_figure
from service.mistakes.agreement import count_agreement, find_missed_by_every_run, select_missed
from service.mistakes.answers import Answers, read_answers, read_run_answers, require_runs
from service.mistakes.by_image import collect_images, describe_images, describe_missed_only
from service.mistakes.by_run import collect_mistakes, collect_run_mistakes, list_misclassified
from service.mistakes.confusion import count_by_configuration, describe_confusions, describe_run_confusion
from service.mistakes.confusion_figure import draw_confusions
from service.mistakes.image_sheet import MOST_TILES, draw_shared_mistakes
from service.mistakes.one_image import describe_image
from service.mistakes.run_sheet import draw_misclassified, draw_misclassified_by_run
from service.mistakes.schemas import ConfusionOut, ImageOut, MisclassifiedOut, RunConfusion, RunMisclassified
from service.test_images import TestImagesDep

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["mistakes"])
run_router = APIRouter(prefix="/runs/{run_id}", tags=["runs"])

PAGE_SIZE = 50

Digit = Annotated[int, Query(ge=0, le=9)]
TrueClass = Annotated[Digit | None, Query(alias="true", description="Only images of this class, 0–9.")]
PredictedClass = Annotated[
    Digit | None,
    Query(alias="predicted", description="Only images wrongly predicted as this class."),
]
MissedBy = Annotated[
    Literal["any", "every", Normalization],
    Query(
        description="Misclassified by any run, by every run, or by one normalization alone: by most of its "
        "runs and by no run of another normalization."
    ),
]


@dataclass
class ImageChoice:
    """A choice among the misclassified images."""

    true: TrueClass = None
    predicted: PredictedClass = None
    missed_by: MissedBy = "any"


Choice = Annotated[ImageChoice, Depends()]


def _read_answers(experiment: ExperimentDep, test_images: TestImagesDep, session: SessionDep) -> Answers:
    return read_answers(session, test_images, experiment)


def _read_run_answers(run: RunDep, test_images: TestImagesDep, session: SessionDep) -> Answers:
    return read_run_answers(session, test_images, run)


AnswersDep = Annotated[Answers, Depends(_read_answers)]
RunAnswersDep = Annotated[Answers, Depends(_read_run_answers)]


@router.get("/misclassified")
def show_misclassified(
    experiment: ExperimentDep,
    answers: AnswersDep,
    choice: Choice,
    run_id: Annotated[RowId | None, Query(description="Only images that this run misclassifies.")] = None,
    limit: Annotated[int, Query(ge=0, le=500, description="How many images.")] = PAGE_SIZE,
    offset: Annotated[int, Query(ge=0, lt=2**31, description="next_offset of the page before.")] = 0,
) -> MisclassifiedOut:
    """List the test images that the completed runs misclassify: across all runs, and run by run.

    `images` holds each image once, with its wrong predictions; images that most runs misclassify come first,
    or, with `run_id`, that run's most confident ones. The filters apply to `images` alone. `agreement[k]` is
    the number of images that exactly k runs misclassify. `runs` lists each run's own, most confident first.
    """
    row = _find_row(answers, run_id, experiment=experiment)
    indices = select_missed(answers, **vars(choice), row=row)
    end = offset + limit
    return MisclassifiedOut(
        experiment_id=experiment.id,
        dataset=experiment.dataset,
        class_names=DATASETS[experiment.dataset].class_names,
        num_runs=len(answers.runs),
        num_test=len(answers.labels),
        agreement=count_agreement(answers.is_missed).tolist(),
        missed_by_every_run=find_missed_by_every_run(answers.is_missed).tolist(),
        missed_only_by=describe_missed_only(answers),
        num_images=len(indices),
        next_offset=end if end < len(indices) else None,
        images=describe_images(answers, indices[offset:end]),
        runs=[list_misclassified(answers, row) for row in range(len(answers.runs))],
        unfinished_run_ids=_list_unfinished(experiment),
    )


@router.get("/misclassified.png", response_class=Response, dependencies=[DRAWING])
def draw_experiment_misclassified(
    experiment: ExperimentDep,
    answers: AnswersDep,
    choice: Choice,
    by: Annotated[
        Literal["image", "run"],
        Query(description="image: each image once, with its wrong predictions; run: a strip for each run."),
    ] = "image",
) -> Response:
    """Draw the images that most runs misclassify, or each run's most confident ones."""
    require_runs(answers, experiment)
    title = f"{experiment.name}: misclassified test images"
    if by == "run":
        return respond_with_figure(draw_misclassified_by_run(collect_run_mistakes(answers), title=title))
    indices = select_missed(answers, **vars(choice))
    shown = collect_images(answers, indices[:MOST_TILES], experiment=experiment)
    return respond_with_figure(draw_shared_mistakes(shown, title=title, num_total=len(indices)))


@router.get("/images/{index}")
def show_image(
    experiment: ExperimentDep,
    index: Annotated[int, Path(ge=0, lt=2**31, description="Place in the test set, from 0.")],
    test_images: TestImagesDep,
    session: SessionDep,
) -> ImageOut:
    """Show one test image with the ten probabilities of each completed run."""
    return describe_image(session, test_images, experiment, index=index)


@router.get("/confusion")
def show_confusion(experiment: ExperimentDep, answers: AnswersDep) -> ConfusionOut:
    """Show the confusion matrix of each configuration, summed over its completed seeds.

    `matrix[t][p]` counts the predictions p for images of class t; `recall` and `precision` are by class.
    """
    return ConfusionOut(
        experiment_id=experiment.id,
        dataset=experiment.dataset,
        class_names=DATASETS[experiment.dataset].class_names,
        configurations=describe_confusions(answers),
        unfinished_run_ids=_list_unfinished(experiment),
    )


@router.get("/confusion.png", response_class=Response, dependencies=[DRAWING])
def draw_confusion(experiment: ExperimentDep, answers: AnswersDep) -> Response:
    """Draw the confusion matrix of each configuration, summed over its completed seeds."""
    figure = draw_confusions(
        count_by_configuration(require_runs(answers, experiment)),
        class_names=DATASETS[experiment.dataset].class_names,
        title=f"{experiment.name}: confusion",
    )
    return respond_with_figure(figure)


@run_router.get("/misclassified")
def show_run_misclassified(answers: RunAnswersDep) -> RunMisclassified:
    """List the test images that the trained network misclassifies, most confident first."""
    return list_misclassified(answers)


@run_router.get("/misclassified.png", response_class=Response, dependencies=[DRAWING])
def draw_run_misclassified(run: RunDep, answers: RunAnswersDep) -> Response:
    """Draw the most confidently misclassified images, each with its true and its predicted class."""
    title = f"Run {run.id}: {run.config.label}, seed {run.config.seed}"
    return respond_with_figure(draw_misclassified(collect_mistakes(answers), title=title))


@run_router.get("/confusion")
def show_run_confusion(answers: RunAnswersDep) -> RunConfusion:
    """Show the run's confusion matrix: `matrix[t][p]` counts the predictions p for images of class t."""
    return describe_run_confusion(answers)


@run_router.get("/confusion.png", response_class=Response, dependencies=[DRAWING])
def draw_run_confusion(run: RunDep, answers: RunAnswersDep) -> Response:
    """Draw the run's confusion matrix, its errors coloured by frequency."""
    figure = draw_confusions(
        count_by_configuration(answers),
        class_names=DATASETS[run.config.dataset].class_names,
        title=f"Run {run.id}: {run.config.label}, seed {run.config.seed}",
    )
    return respond_with_figure(figure)


def _find_row(answers: Answers, run_id: int | None, *, experiment: ExperimentRecord) -> int | None:
    if run_id is None:
        return None
    ids = [run.id for run in answers.runs]
    if run_id not in ids:
        completed = ", ".join(map(str, ids)) or "none"
        raise NotFoundError(
            f"Run {run_id} is not a completed run of experiment {experiment.id}; the completed ones are: "
            f"{completed}."
        )
    return ids.index(run_id)


def _list_unfinished(experiment: ExperimentRecord) -> list[int]:
    return [run.id for run in experiment.runs if not run.is_completed]
