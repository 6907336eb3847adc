"""What networks take each class for: confusion matrices."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from lab.datasets.load import DATASETS
from lab.experiments.architecture import NUM_CLASSES
from service.mistakes.answers import Answers

CountMatrix = NDArray[np.int64]
MOST_CONFUSED = 10


def count_confusions(labels: NDArray[np.int64], predicted: NDArray[np.uint8]) -> CountMatrix:
    """How often images of each class (rows) are taken for each class (columns), over all R runs (R, N)."""
    repeated = np.broadcast_to(labels, predicted.shape)
    matrix: CountMatrix = confusion_matrix(repeated.ravel(), predicted.ravel(), labels=np.arange(NUM_CLASSES))
    return matrix


def _group_rows(answers: Answers) -> dict[str, list[int]]:
    """Each configuration's label with the places of its runs."""
    groups: dict[str, list[int]] = {}
    for row, run in enumerate(answers.runs):
        groups.setdefault(run.config.label, []).append(row)
    return groups


def describe_run_confusion(answers: Answers) -> dict[str, Any]:
    """The matrix of the only run in ``answers``, as JSON values."""
    (run,) = answers.runs
    return {
        "run_id": run.id,
        "experiment_id": run.experiment_id,
        "label": run.config.label,
        "normalization": run.config.normalization,
        "seed": run.config.seed,
        "class_names": DATASETS[run.config.dataset].class_names,
        **_describe_matrix(count_confusions(answers.labels, answers.predicted)),
    }


def describe_confusions(answers: Answers) -> list[dict[str, Any]]:
    """One matrix a configuration, summed over its seeds, as JSON values."""
    described = []
    matrices = count_by_configuration(answers)
    for label, indices in _group_rows(answers).items():
        runs = [answers.runs[index] for index in indices]
        described.append(
            {
                "label": label,
                "normalization": runs[0].config.normalization,
                "penalty": runs[0].config.penalty,
                "seeds": [run.config.seed for run in runs],
                "run_ids": [run.id for run in runs],
                **_describe_matrix(matrices[label]),
            }
        )
    return described


def count_by_configuration(answers: Answers) -> dict[str, CountMatrix]:
    """Each configuration's label with its matrix, summed over its seeds."""
    return {
        label: count_confusions(answers.labels, answers.predicted[indices])
        for label, indices in _group_rows(answers).items()
    }


def find_most_confused(matrix: CountMatrix) -> list[tuple[int, int, int]]:
    """(true, predicted, count) of the most frequent mistakes, the most frequent first; none that never is."""
    mistakes = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:MOST_CONFUSED]
    cells = [divmod(int(place), len(matrix)) for place in order]
    return [(true, guess, int(mistakes[true, guess])) for true, guess in cells if mistakes[true, guess]]


def _describe_matrix(matrix: CountMatrix) -> dict[str, Any]:
    right, total = np.diag(matrix), matrix.sum()
    num_true, num_predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        "matrix": matrix.tolist(),
        "num_answers": int(total),
        "num_misclassified": int(total - right.sum()),
        "recall": _divide(right, num_true),
        "precision": _divide(right, num_predicted),
        "most_confused": [
            {"true": true, "predicted": predicted, "count": count}
            for true, predicted, count in find_most_confused(matrix)
        ],
    }


def _divide(parts: CountMatrix, wholes: CountMatrix) -> list[float | None]:
    """Shares by class; None of a class that never occurs."""
    return [int(part) / int(whole) if whole else None for part, whole in zip(parts, wholes, strict=True)]
