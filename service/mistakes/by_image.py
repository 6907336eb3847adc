"""Misclassified images across an experiment's runs, as an answer and as tiles for a sheet."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lab.datasets.load import DATASETS
from lab.runs.records import ExperimentRecord
from service.data_urls import write_png_url
from service.mistakes.agreement import IndexArray, find_missed_only
from service.mistakes.answers import Answers
from service.mistakes.image_sheet import MissedImage, WrongAnswer
from service.mistakes.schemas import MisclassifiedByOne, MisclassifiedImage, WrongPrediction


def describe_missed_only(answers: Answers) -> list[MisclassifiedByOne]:
    """List for each normalization the images that it alone misclassifies."""
    return [
        MisclassifiedByOne(
            normalization=only.normalization,
            num_runs=only.num_runs,
            by_all=only.by_all.tolist(),
            by_most=only.by_most.tolist(),
        )
        for only in find_missed_only(answers.is_missed, [run.config.normalization for run in answers.runs])
    ]


def describe_images(answers: Answers, indices: IndexArray) -> list[MisclassifiedImage]:
    """List each image once, with the runs that misclassify it."""
    is_missed = answers.is_missed
    described = []
    for index in indices:
        rows = np.flatnonzero(is_missed[:, index])
        described.append(
            MisclassifiedImage(
                index=int(index),
                true=int(answers.labels[index]),
                num_missed=len(rows),
                image=write_png_url(answers.images[index]),
                answers=[_describe_prediction(answers, int(row), int(index)) for row in rows],
            )
        )
    return described


def _describe_prediction(answers: Answers, row: int, index: int) -> WrongPrediction:
    run = answers.runs[row]
    return WrongPrediction(
        run_id=run.id,
        label=run.config.label,
        normalization=run.config.normalization,
        seed=run.config.seed,
        predicted=int(answers.predicted[row, index]),
        confidence=float(answers.confidence[row, index]),
    )


def collect_images(
    answers: Answers, indices: IndexArray, *, experiment: ExperimentRecord
) -> list[MissedImage]:
    """Collect each image once as a tile, with its wrong predictions by class."""
    names = DATASETS[experiment.dataset].class_names
    is_missed = answers.is_missed
    return [
        MissedImage(
            index=int(index),
            image=answers.images[index],
            true=names[answers.labels[index]],
            num_runs=len(answers.runs),
            answers=_group_predictions(answers, int(index), np.flatnonzero(is_missed[:, index]), names=names),
        )
        for index in indices
    ]


def _group_predictions(
    answers: Answers, index: int, rows: IndexArray, *, names: Sequence[str]
) -> tuple[WrongAnswer, ...]:
    """Group the wrong predictions for one image by class, the most frequent class first."""
    counts = Counter(int(answers.predicted[row, index]) for row in rows)
    grouped = []
    for predicted, _ in counts.most_common():
        same = [row for row in rows if answers.predicted[row, index] == predicted]
        configs = [answers.runs[row].config for row in same]
        grouped.append(
            WrongAnswer(
                predicted=names[predicted],
                labels=tuple(config.label for config in configs),
                normalizations=tuple(config.normalization for config in configs),
                confidence=max(float(answers.confidence[row, index]) for row in same),
            )
        )
    return tuple(grouped)
