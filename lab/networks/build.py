"""The study's network, built from its table."""

import math
from collections import OrderedDict

import torch
from torch import nn

from lab.experiments.architecture import IMAGE_SIZE, ROWS, Row
from lab.experiments.configs import RunConfig
from lab.networks.normalizations import build_normalization


def build_network(config: RunConfig) -> nn.Sequential:
    """The network of ``config``, its weights drawn from the config's seed.

    Takes images (N, 1, 28, 28), float32, normalized; gives log-probabilities (N, 10). The same seed gives
    the same convolution weights whatever the normalization, so that runs of one seed can be paired.
    """
    generator = torch.Generator().manual_seed(config.seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    size = IMAGE_SIZE
    remaining_groups = iter(config.num_groups)
    for row in ROWS:
        if row.pool is not None:
            size //= row.pool_size
            pool = nn.MaxPool2d if row.pool == "max" else nn.AvgPool2d
            layers[f"pool{row.number}"] = pool(row.pool_size)
        layers[f"conv{row.number}"] = _build_convolution(row, generator)
        size += 2 * row.padding - row.kernel_size + 1
        if not row.is_block:
            continue
        if config.normalization != "none":
            layers[f"norm{row.number}"] = build_normalization(
                config.normalization,
                shape=(row.out_channels, size, size),
                num_groups=next(remaining_groups, 1),
                affine=config.affine,
            )
        layers[f"relu{row.number}"] = nn.ReLU(inplace=True)
        if config.dropout > 0:
            layers[f"dropout{row.number}"] = nn.Dropout(config.dropout)
    layers["flatten"] = nn.Flatten()
    layers["log_softmax"] = nn.LogSoftmax(dim=1)
    return nn.Sequential(layers)


def _build_convolution(row: Row, generator: torch.Generator) -> nn.Conv2d:
    convolution = nn.Conv2d(
        row.in_channels, row.out_channels, row.kernel_size, padding=row.padding, bias=False
    )
    # PyTorch's own initialization (He et al. 2015 with a = √5), but from our generator.
    nn.init.kaiming_uniform_(convolution.weight, a=math.sqrt(5), generator=generator)
    return convolution
