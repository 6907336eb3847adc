"""Measure each layer of a network in training: its gradient and its activations.

It works on a copy, in PyTorch's own modules, and draws no random number, so that training is left as it is.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.datasets.load import ImageSet
from lab.datasets.pixels import normalize_pixels
from lab.experiments.architecture import ROWS
from lab.experiments.configs import RunConfig
from lab.networks.build import build_network
from lab.runs.epochs import PROBE_SIZE, LayerStatistics


def list_probe_steps(num_steps: int) -> list[int]:
    """The steps of the first epoch after which to measure: 0, the powers of four, and the last.

    A probe takes some 40 ms on one thread, as long as several steps of the compiled engine.
    """
    powers = {4**exponent for exponent in range(num_steps.bit_length())}
    return sorted(step for step in {0, *powers, num_steps} if step <= num_steps)


def measure_layers(
    config: RunConfig, state: Mapping[str, Tensor], image_set: ImageSet, *, step: int
) -> list[LayerStatistics]:
    """Measure every layer of the network with this state dict, on the first images of ``image_set``."""
    # Without memory of its own, the network draws no initial weights either.
    with torch.device("meta"):
        network = build_network(replace(config, dropout=0.0))
    # Batch normalization brings its running statistics up to date, those of the copy.
    copies = {name: tensor.to(image_set.images.device, copy=True) for name, tensor in state.items()}
    network.load_state_dict(copies, assign=True)
    moments: dict[int, tuple[Tensor, Tensor]] = {}
    for row in ROWS:
        convolution = network.get_submodule(f"conv{row.number}")
        convolution.register_forward_hook(partial(_measure_output, moments, row.number))
    images = normalize_pixels(image_set.images[:PROBE_SIZE].float() / 255)
    F.nll_loss(network(images), image_set.labels[:PROBE_SIZE]).backward()
    statistics = []
    for row in ROWS:
        gradient = network.get_parameter(f"conv{row.number}.weight").grad
        assert gradient is not None
        variance, mean = moments[row.number]
        statistics.append(
            LayerStatistics(
                step=step,
                layer=row.number,
                activation_mean=_read_finite(mean),
                activation_variance=_read_finite(variance),
                gradient_norm=_read_finite(gradient.norm()),
            )
        )
    return statistics


def _measure_output(
    moments: dict[int, tuple[Tensor, Tensor]], row: int, _module: nn.Module, _inputs: object, output: Tensor
) -> None:
    moments[row] = torch.var_mean(output.detach(), correction=0)


def _read_finite(value: Tensor) -> float | None:
    number = value.item()
    return number if math.isfinite(number) else None
