"""The penalties added to the loss."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lab.configs import Penalize


def select_penalized(network: nn.Module, *, penalize: Penalize) -> list[Tensor]:
    """The parameters that a penalty acts on: all of them, or the convolution weights alone."""
    if penalize == "all":
        return list(network.parameters())
    return [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]


def sum_penalty(parameters: Iterable[Tensor], *, l1: float, l2: float) -> Tensor:
    """λ1·Σ|w| + λ2·Σw² over ``parameters``, as a scalar that autograd can follow.

    Since the gradient of λ2·w² is 2·λ2·w, this equals an SGD weight decay of 2·λ2; they must not be stacked.
    """
    flat = torch.cat([parameter.flatten() for parameter in parameters])
    return l1 * flat.abs().sum() + l2 * flat.square().sum()
