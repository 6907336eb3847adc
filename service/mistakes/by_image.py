"""An experiment's mistakes across its runs, as JSON values and as tiles for a sheet."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.datasets.load import DATASETS
from lab.runs.records import ExperimentRecord
from service.data_urls import write_png_url
from service.mistakes.agreement import IndexArray, count_agreement, find_missed_by_every_run, find_missed_only
from service.mistakes.answers import Answers
from service.mistakes.image_sheet import MissedImage, WrongAnswer


def describe_agreement(answers: Answers) -> dict[str, Any]:
    """How many images how many runs miss, and which ones every run or only one normalization misses."""
    is_missed = answers.is_missed
    only = find_missed_only(is_missed, [run.config.normalization for run in answers.runs])
    return {
        "num_runs": len(answers.runs),
        "num_test": len(answers.labels),
        "agreement": count_agreement(is_missed).tolist(),
        "missed_by_every_run": find_missed_by_every_run(is_missed).tolist(),
        "missed_only_by": [
            {
                "normalization": one.normalization,
                "num_runs": one.num_runs,
                "by_all": one.by_all.tolist(),
                "by_most": one.by_most.tolist(),
            }
            for one in only
        ],
    }


def describe_images(answers: Answers, indices: IndexArray) -> list[dict[str, Any]]:
    """Each image once, with its picture and the runs that took it for something else."""
    described = []
    is_missed = answers.is_missed[:, indices]
    for column, index in enumerate(indices):
        rows = np.flatnonzero(is_missed[:, column])
        described.append(
            {
                "index": int(index),
                "true": int(answers.labels[index]),
                "num_missed": len(rows),
                "image": write_png_url(answers.images[index]),
                "answers": [
                    {
                        "run_id": answers.runs[row].id,
                        "label": answers.runs[row].config.label,
                        "normalization": answers.runs[row].config.normalization,
                        "seed": answers.runs[row].config.seed,
                        "predicted": int(answers.predicted[row, index]),
                        "confidence": float(answers.confidence[row, index]),
                    }
                    for row in rows
                ],
            }
        )
    return described


def collect_images(
    answers: Answers, indices: IndexArray, *, experiment: ExperimentRecord
) -> list[MissedImage]:
    """Each image once, with what it was taken for and by how many runs of which normalization."""
    names = DATASETS[experiment.dataset].class_names
    is_missed = answers.is_missed
    return [
        MissedImage(
            index=int(index),
            image=answers.images[index],
            true=names[answers.labels[index]],
            num_runs=len(answers.runs),
            answers=_group_answers(answers, int(index), np.flatnonzero(is_missed[:, index]), names=names),
        )
        for index in indices
    ]


def _group_answers(
    answers: Answers, index: int, rows: IndexArray, *, names: Sequence[str]
) -> tuple[WrongAnswer, ...]:
    """The wrong answers to one image by class, the most frequent first."""
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
