"""How well a network does on a set of pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.datasets import ImageSet
from lab.pixels import normalize_pixels

# On a CPU the activations of 250 pictures still fit its cache; 1,000 take up to three times as long each.
EVALUATION_BATCH_SIZE = {"cpu": 250, "cuda": 10_000}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Mean cross-entropy in nats, accuracy in 0–1, and the log-probabilities (N, 10) behind them."""

    loss: float
    accuracy: float
    log_probabilities: Tensor


def evaluate(
    network: nn.Module, image_set: ImageSet, *, before_batch: Callable[[], None] = lambda: None
) -> Evaluation:
    """Measure ``network`` in eval mode on pictures as they are, without augmentation or penalty.

    ``before_batch`` may raise to break off.
    """
    was_training = network.training
    network.eval()
    batch_size = EVALUATION_BATCH_SIZE.get(image_set.images.device.type, 250)
    answers = []
    with torch.inference_mode():
        for batch in image_set.images.split(batch_size):
            before_batch()
            answers.append(network(normalize_pixels(batch.float() / 255)))
        log_probabilities = torch.cat(answers)
        loss = F.nll_loss(log_probabilities, image_set.labels)
        num_correct = (log_probabilities.argmax(dim=1) == image_set.labels).sum()
    network.train(was_training)
    return Evaluation(
        loss=loss.item(),
        accuracy=num_correct.item() / len(image_set),
        log_probabilities=log_probabilities.cpu(),
    )
