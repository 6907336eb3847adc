"""The penalties added to the loss."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lab.experiments.configs import RunConfig
from worker.engines.weights import Layout


class Penalties:
    """λ1·Σ|w| + λ2·Σw² of each of K runs, over the parameters that its configuration penalizes.

    Since the gradient of λ2·w² is 2·λ2·w, that part equals an SGD weight decay of 2·λ2; never stack both.
    """

    def __init__(self, configs: Sequence[RunConfig], *, layout: Layout, device: torch.device) -> None:
        marks = torch.stack([layout.mark_penalized(config.penalize) for config in configs]).to(device)
        self._l1 = marks * _make_column([config.l1 for config in configs], device)
        self._l2 = marks * _make_column([2 * config.l2 for config in configs], device)
        self._has_l1 = any(config.l1 for config in configs)
        self._has_l2 = any(config.l2 for config in configs)

    def add_gradient(self, gradient: Tensor, parameters: Tensor) -> None:
        """Add the penalties' gradient, with 0 for that of |w| at 0; all tensors are (K, P)."""
        if self._has_l1:
            gradient.addcmul_(self._l1, parameters.sign())
        if self._has_l2:
            gradient.addcmul_(self._l2, parameters)


def _make_column(values: Sequence[float], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device).unsqueeze(1)
