"""Confusion matrices of runs and configurations."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from lab.datasets.load import DATASETS
from lab.experiments.architecture import NUM_CLASSES
from service.mistakes.answers import Answers
from service.mistakes.schemas import ConfigurationConfusion, ConfusedPair, RunConfusion

CountMatrix = NDArray[np.int64]
MOST_CONFUSED = 10


def count_confusions(labels: NDArray[np.int64], predicted: NDArray[np.uint8]) -> CountMatrix:
    """Count predictions of each class (columns) for images of each class (rows), over all R runs (R, N)."""
    repeated = np.broadcast_to(labels, predicted.shape)
    matrix: CountMatrix = confusion_matrix(repeated.ravel(), predicted.ravel(), labels=np.arange(NUM_CLASSES))
    return matrix


def count_by_configuration(answers: Answers) -> dict[str, CountMatrix]:
    """Count each configuration's confusions by its label, summed over its seeds."""
    return {
        label: count_confusions(answers.labels, answers.predicted[rows])
        for label, rows in _group_rows(answers).items()
    }


def describe_run_confusion(answers: Answers) -> RunConfusion:
    """Describe the matrix of the only run in ``answers``."""
    (run,) = answers.runs
    return RunConfusion(
        run_id=run.id,
        experiment_id=run.experiment_id,
        label=run.config.label,
        normalization=run.config.normalization,
        seed=run.config.seed,
        class_names=DATASETS[run.config.dataset].class_names,
        **_describe_matrix(count_confusions(answers.labels, answers.predicted)),
    )


def describe_confusions(answers: Answers) -> list[ConfigurationConfusion]:
    """Describe one matrix per configuration, summed over its seeds."""
    described = []
    for label, rows in _group_rows(answers).items():
        runs = [answers.runs[row] for row in rows]
        described.append(
            ConfigurationConfusion(
                label=label,
                normalization=runs[0].config.normalization,
                penalty=runs[0].config.penalty,
                seeds=[run.config.seed for run in runs],
                run_ids=[run.id for run in runs],
                **_describe_matrix(count_confusions(answers.labels, answers.predicted[rows])),
            )
        )
    return described


def find_most_confused(matrix: CountMatrix) -> list[ConfusedPair]:
    """List the most frequent confusions, most frequent first; none that never occurs."""
    mistakes = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:MOST_CONFUSED]
    cells = [divmod(int(place), len(matrix)) for place in order]
    return [
        ConfusedPair(true=true, predicted=predicted, count=int(mistakes[true, predicted]))
        for true, predicted in cells
        if mistakes[true, predicted]
    ]


def _group_rows(answers: Answers) -> dict[str, list[int]]:
    """Group the rows of runs by their configuration's label."""
    groups: dict[str, list[int]] = {}
    for row, run in enumerate(answers.runs):
        groups.setdefault(run.config.label, []).append(row)
    return groups


def _describe_matrix(matrix: CountMatrix) -> dict[str, Any]:
    """Return the fields of ``Confusion``."""
    right, total = np.diag(matrix), matrix.sum()
    return {
        "matrix": matrix.tolist(),
        "num_answers": int(total),
        "num_misclassified": int(total - right.sum()),
        "recall": _divide(right, matrix.sum(axis=1)),
        "precision": _divide(right, matrix.sum(axis=0)),
        "most_confused": find_most_confused(matrix),
    }


def _divide(parts: CountMatrix, wholes: CountMatrix) -> list[float | None]:
    """Divide by class; None where a class never occurs."""
    return [int(part) / int(whole) if whole else None for part, whole in zip(parts, wholes, strict=True)]
