"""Which test images a network gets wrong, from its log-probabilities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Misclassification:
    """One test image taken for something else; ``confidence`` is the probability of ``predicted``."""

    index: int
    true: int
    predicted: int
    confidence: float


def find_misclassified(
    log_probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> list[Misclassification]:
    """Every mistake among the answers (N, 10) to images of the classes (N,), the most confident first."""
    predicted = log_probabilities.argmax(axis=1)
    indices = np.flatnonzero(predicted != labels)
    order = np.argsort(-log_probabilities[indices, predicted[indices]], kind="stable")
    return [
        Misclassification(
            index=int(index),
            true=int(labels[index]),
            predicted=int(predicted[index]),
            confidence=float(np.exp(log_probabilities[index, predicted[index]])),
        )
        for index in indices[order]
    ]
