"""Epoch reports, layer statistics and training states, passed from training to storage."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """All that the next epoch depends on besides the configuration and the data; tensors on the CPU.

    ``variant`` names the engine that came so far; no other goes on with the same bits, see
    ``worker.engines.variants``. ``epoch`` epochs are done, and ``step`` steps of the next, which took
    ``seconds`` so far and began with ``epoch_learning_rate``. ``weights`` is the network's state dict,
    running statistics included; ``momentum`` the optimizer's buffers by parameter name; ``schedule`` plain
    JSON values.
    """

    variant: str
    epoch: int
    step: int
    seconds: float
    epoch_learning_rate: float
    weights: dict[str, Tensor]
    momentum: dict[str, Tensor]
    learning_rate: float
    schedule: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """The result of one epoch of one run.

    Losses are mean cross-entropies in nats without the penalty, accuracies 0–1, both in eval mode on
    pictures as they are. The validation figures are None where no images are held out. ``learning_rate`` is
    the epoch's first, ``seconds`` the run's share of the device's time.
    ``test_log_probabilities`` is (N, 10).
    """

    run_index: int
    epoch: int
    learning_rate: float
    seconds: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    test_loss: float
    test_accuracy: float
    test_log_probabilities: Tensor
    state: TrainingState


PROBE_SIZE = 64
"""Training images, the first ones, that layer statistics are measured on."""


@dataclass(frozen=True, kw_only=True)
class LayerStatistics:
    """One layer after ``step`` steps of a run's first epoch, measured on ``PROBE_SIZE`` undistorted images.

    ``layer`` is the number of a row of the network. ``activation_mean`` and ``activation_variance`` are those
    of the convolution's output, before any normalization, over all images, channels and positions.
    ``gradient_norm`` is the L2 norm of the gradient of the mean cross-entropy, without the penalty, by the
    convolution's weights. The network is in training mode, without dropout. None is not finite.
    """

    step: int
    layer: int
    activation_mean: float | None
    activation_variance: float | None
    gradient_norm: float | None
