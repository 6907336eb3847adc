"""Networks of one shape as flat tensors, a row each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import prod

import torch
from torch import Tensor

from lab.experiments.architecture import ROWS
from lab.experiments.configs import Normalization, Penalize, RunConfig
from lab.networks.build import build_network

NUM_NORMALIZED = sum(row.out_channels for row in ROWS if row.is_block)
_BATCH_NORM_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Layout:
    """The place of each named parameter in a flat row of ``size`` numbers."""

    shapes: dict[str, tuple[int, ...]]

    @property
    def sizes(self) -> list[int]:
        """The number of elements of each parameter."""
        return [prod(shape) for shape in self.shapes.values()]

    @property
    def size(self) -> int:
        """The total number of elements."""
        return sum(self.sizes)

    @property
    def offsets(self) -> dict[str, int]:
        """The place where each parameter begins."""
        return dict(zip(self.shapes, accumulate([0, *self.sizes]), strict=False))

    def split(self, rows: Tensor) -> dict[str, Tensor]:
        """The parameters in flat rows (K, size), each as (K, …); autograd can follow."""
        pieces = rows.split(self.sizes, dim=1)
        return {
            name: piece.unflatten(1, shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def join(self, named: dict[str, Tensor]) -> Tensor:
        """Join parameters by name into one flat row; missing ones are 0."""
        parts = [
            named[name].flatten() if name in named else torch.zeros(size)
            for name, size in zip(self.shapes, self.sizes, strict=True)
        ]
        return torch.cat([part.float().cpu() for part in parts])

    def mark_penalized(self, penalize: Penalize) -> Tensor:
        """Mark with 1 each number that a penalty acts on: all, or those of the convolutions; 0 elsewhere."""
        marks = [
            torch.full((size,), float(penalize == "all" or name.startswith("conv")))
            for name, size in zip(self.shapes, self.sizes, strict=True)
        ]
        return torch.cat(marks)


@cache
def _lay_out(normalization: Normalization, affine: bool) -> Layout:
    # The parameters of group normalization do not depend on the number of groups.
    config = RunConfig(dataset="digits", normalization=normalization, affine=affine, schedule="constant")
    return Layout({name: tuple(p.shape) for name, p in build_network(config).named_parameters()})


def lay_out(config: RunConfig) -> Layout:
    """The layout of the parameters of ``config``'s network."""
    return _lay_out(config.normalization, config.affine)


class Weights:
    """The parameters (K, P) and running statistics (K, R) of the networks of K runs, float32, on one device.

    The running statistics are those of batch normalization, the blocks' channels in order; others leave
    them alone.
    """

    def __init__(self, configs: Sequence[RunConfig], *, device: torch.device) -> None:
        """Draw the initial weights of each run from its seed."""
        self.layout = lay_out(configs[0])
        self._has_running = configs[0].normalization == "batch"
        initial = [self.layout.join(dict(build_network(config).named_parameters())) for config in configs]
        self.parameters = torch.stack(initial).detach().to(device)
        self.running_mean = torch.zeros(len(configs), NUM_NORMALIZED, device=device)
        self.running_var = torch.ones(len(configs), NUM_NORMALIZED, device=device)
        self.num_batches = 0

    def export(self, index: int) -> dict[str, Tensor]:
        """The state dict of one network, as ``build_network`` would load it, on the CPU."""
        named = self.layout.split(self.parameters[index : index + 1])
        state = {name: tensor[0].detach().cpu().clone() for name, tensor in named.items()}
        if self._has_running:
            for row, channels in list_running():
                values = (
                    self.running_mean[index, channels].cpu().clone(),
                    self.running_var[index, channels].cpu().clone(),
                    torch.tensor(self.num_batches),
                )
                names = [f"norm{row}.{name}" for name in _BATCH_NORM_BUFFERS]
                state |= dict(zip(names, values, strict=True))
        return state

    def load(self, index: int, state: dict[str, Tensor]) -> None:
        """Load what ``export`` returned."""
        self.parameters[index] = self.layout.join(state).to(self.parameters.device)
        if self._has_running:
            for row, channels in list_running():
                self.running_mean[index, channels] = state[f"norm{row}.running_mean"].to(self.running_mean)
                self.running_var[index, channels] = state[f"norm{row}.running_var"].to(self.running_var)
                self.num_batches = int(state[f"norm{row}.num_batches_tracked"])


def list_running() -> list[tuple[int, slice]]:
    """Each block's row number, and where its channels' running statistics lie."""
    blocks = [row for row in ROWS if row.is_block]
    starts = accumulate([0, *(row.out_channels for row in blocks)])
    return [
        (row.number, slice(start, start + row.out_channels))
        for row, start in zip(blocks, starts, strict=False)
    ]
