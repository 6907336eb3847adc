"""The interface between training and the engines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from worker.engines.dropout import Dropped
from worker.engines.weights import Weights

BATCH_NORM_MOMENTUM = 0.1
NORMALIZATION_EPS = 1e-5


@dataclass(frozen=True)
class Batch:
    """The input of one step of K runs: images (K, N, 28, 28), float32, normalized; labels (K, N).

    ``dropped`` has one entry a run; none if nothing is dropped.
    """

    images: Tensor
    labels: Tensor
    dropped: Sequence[Dropped]


class Engine(Protocol):
    """Works on K runs whose networks have one shape."""

    def use_threads(self, num_threads: int) -> None:
        """Work with this many threads from here on, on a CPU; the results do not depend on it."""

    def differentiate(self, weights: Weights, batch: Batch) -> Tensor:
        """The gradient (K, P) of each run's mean negative log-likelihood, in training mode.

        Brings the running statistics of batch normalization up to date.
        """

    def predict(self, weights: Weights, images: Tensor) -> Tensor:
        """Log-probabilities (K, N, 10) of normalized images (N, 1, 28, 28), float32, in eval mode."""
