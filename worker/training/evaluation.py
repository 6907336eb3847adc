"""Evaluate networks on a set of images."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.datasets.load import ImageSet
from lab.datasets.pixels import normalize_pixels
from worker.engines.interface import Engine
from worker.engines.weights import Weights

# Images of all networks together. On a CPU the activations of 256 images still fit the cache.
EVALUATION_BATCH_SIZE = {"cpu": 256, "cuda": 4_096}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Mean cross-entropy in nats, accuracy in 0–1, and the log-probabilities (N, 10) behind them."""

    loss: float
    accuracy: float
    log_probabilities: Tensor


def split_validation(train_set: ImageSet, *, validation_size: int) -> tuple[ImageSet, ImageSet | None]:
    """Hold out the last ``validation_size`` images of the training set; with 0 there are none."""
    if validation_size == 0:
        return train_set, None
    images, labels = train_set.images, train_set.labels
    return (
        ImageSet(images[:-validation_size], labels[:-validation_size]),
        ImageSet(images[-validation_size:], labels[-validation_size:]),
    )


def evaluate(
    engine: Engine, weights: Weights, image_set: ImageSet, *, before_batch: Callable[[], None] = lambda: None
) -> list[Evaluation]:
    """Evaluate each network in eval mode on undistorted images, without the penalty.

    ``before_batch`` may raise to stop.
    """
    most = EVALUATION_BATCH_SIZE.get(image_set.images.device.type, 256)
    batch_size = max(1, most // len(weights.parameters))
    predictions = []
    with torch.inference_mode():
        for batch in image_set.images.split(batch_size):
            before_batch()
            predictions.append(engine.predict(weights, normalize_pixels(batch.float() / 255)))
        return [
            _summarize(log_probabilities, image_set.labels)
            for log_probabilities in torch.cat(predictions, dim=1)
        ]


def _summarize(log_probabilities: Tensor, labels: Tensor) -> Evaluation:
    num_correct = (log_probabilities.argmax(dim=1) == labels).sum()
    return Evaluation(
        loss=F.nll_loss(log_probabilities, labels).item(),
        accuracy=num_correct.item() / len(labels),
        log_probabilities=log_probabilities.cpu().clone(),
    )
