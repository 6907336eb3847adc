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


def pick_classes(log_probabilities: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The likeliest class of each of N images (N, 10), and its probability."""
    predicted = log_probabilities.argmax(axis=1).astype(np.uint8)
    return predicted, np.exp(log_probabilities.max(axis=1))


def rank_mistakes(
    predicted: NDArray[np.uint8], confidence: NDArray[np.float32], labels: NDArray[np.int64]
) -> list[Misclassification]:
    """Every mistake among one network's answers (N,), the most confident first."""
    indices = np.flatnonzero(predicted != labels)
    order = np.argsort(-confidence[indices], kind="stable")
    return [
        Misclassification(
            index=int(index),
            true=int(labels[index]),
            predicted=int(predicted[index]),
            confidence=float(confidence[index]),
        )
        for index in indices[order]
    ]


def find_misclassified(
    log_probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> list[Misclassification]:
    """Every mistake among the answers (N, 10) to images of the classes (N,), the most confident first."""
    predicted, confidence = pick_classes(log_probabilities)
    return rank_mistakes(predicted, confidence, labels)
