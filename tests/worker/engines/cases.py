"""Networks of every kind, batches for them, and what PyTorch's own modules and autograd make of them."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.experiments.configs import RunConfig
from lab.networks.build import build_network
from worker.engines.dropout import Dropped, draw_dropped
from worker.engines.interface import Batch
from worker.engines.weights import Weights

CPU = torch.device("cpu")
NETWORKS: dict[str, dict[str, Any]] = {
    "none": {"normalization": "none"},
    "batch": {"normalization": "batch"},
    "batch, plain": {"normalization": "batch", "affine": False},
    "group": {"normalization": "group"},
    "group, each block otherwise": {"normalization": "group", "groups": (16, 4, 2, 8, 7, 1, 9)},
    "group, plain": {"normalization": "group", "affine": False},
    "layer": {"normalization": "layer"},
    "layer, plain": {"normalization": "layer", "affine": False},
    "instance": {"normalization": "instance"},
    "instance, plain": {"normalization": "instance", "affine": False},
}
"""Every normalization with and without γ and β."""

# How far sums of float32 in another order lead apart, as a share of a tensor's length.
ROUNDING = 5e-5
# An activation within rounding of 0 may fall on either side of ReLU, and its gradient be there or not. It is
# about one of the million of a batch, and moves the gradient by a thousandth, a hundredth at worst.
KINK = 1e-2


def make_config(name: str, **values: Any) -> RunConfig:
    defaults = {"dataset": "digits", "schedule": "constant", "batch_size": 64, "dropout": 0.1}
    return RunConfig(**{**defaults, **NETWORKS[name], **values})


def make_weights(configs: Sequence[RunConfig]) -> Weights:
    """Weights as in the midst of training: γ is not 1, β not 0, running statistics are some."""
    weights = Weights(configs, device=CPU)
    for config, row, mean, var in zip(
        configs, weights.parameters, weights.running_mean, weights.running_var, strict=True
    ):
        generator = torch.Generator().manual_seed(config.seed)
        row += 0.1 * torch.randn(row.shape, generator=generator)
        mean.copy_(0.1 * torch.randn(mean.shape, generator=generator))
        var.copy_(0.5 + torch.rand(var.shape, generator=generator))
    return weights


def make_batch(configs: Sequence[RunConfig], *, num_images: int) -> Batch:
    """Images, labels and dropped activations that each run draws from its seed."""
    images, labels, dropped = [], [], []
    for config in configs:
        generator = torch.Generator().manual_seed(config.seed)
        images.append(torch.randn(num_images, 28, 28, generator=generator))
        labels.append(torch.randint(10, (num_images,), generator=generator))
        if config.dropout > 0:
            dropped.append(draw_dropped(config.dropout, num_images=num_images, generator=generator))
    return Batch(torch.stack(images), torch.stack(labels), dropped)


def differentiate_by_pytorch(
    config: RunConfig, batch: Batch, *, state: dict[str, Tensor], index: int = 0
) -> dict[str, Tensor]:
    """The gradients by parameter name, and the buffers after the step, of the network in double precision."""
    network = build_network(config)
    network.load_state_dict(state)
    if batch.dropped:
        _fix_dropout(network, batch.dropped[index])
    network.double().train()
    answers = network(batch.images[index].unsqueeze(1).double())
    F.nll_loss(answers, batch.labels[index]).backward()
    found = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return found | dict(network.named_buffers())


def measure_error(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """The largest distance between two tensors of a name, as a share of the reference's length."""
    errors = {
        name: float((ours[name].double() - expected.double()).norm() / expected.double().norm())
        for name, expected in theirs.items()
    }
    return max(errors.values())


def assert_near(ours: dict[str, Tensor], theirs: dict[str, Tensor], *, tolerance: float = KINK) -> None:
    assert measure_error(ours, theirs) <= tolerance


def name_gradient(weights: Weights, gradient: Tensor, *, index: int = 0) -> dict[str, Tensor]:
    """A run's gradients by parameter name, and its buffers, as ``differentiate_by_pytorch`` gives them."""
    named = weights.layout.split(gradient[index : index + 1])
    state = weights.export(index)
    buffers = {name: tensor for name, tensor in state.items() if name not in named}
    return {name: tensor[0] for name, tensor in named.items()} | buffers


class _FixedDropout(nn.Module):
    def __init__(self, positions: Tensor, keep_scale: float) -> None:
        super().__init__()
        self._positions = positions
        self._keep_scale = keep_scale

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.full((math.prod(x.shape),), self._keep_scale, dtype=x.dtype)
        mask[self._positions] = 0
        return x * mask.view_as(x)


def _fix_dropout(network: nn.Sequential, dropped: Dropped) -> None:
    names = [name for name, module in network.named_children() if isinstance(module, nn.Dropout)]
    for name, positions in zip(names, dropped.positions, strict=True):
        setattr(network, name, _FixedDropout(positions, dropped.keep_scale))
