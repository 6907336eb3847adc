"""Compute normalization statistics in exact fractions for a small (N, C, H, W) tensor.

Mean and population variance (divided by n, as every one of these layers does) over the values that
share them:

- batch norm: one set per channel, over all images (Ioffe & Szegedy 2015);
- layer norm: one set per image, over all its channels (Ba et al. 2016);
- group norm: one set per image and group of neighboring channels (Wu & He 2018);
- instance norm: one set per image and channel (Ulyanov et al. 2016).

All indexes are 0-based; only prose ("image 1") counts from 1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal, get_args

from service.appendix.tensor import (
    Position,
    Sample,
    Tensor,
    build_tensor,
    read_eps,
    read_groups,
    read_per_channel,
    read_sample,
)

Normalization = Literal["batch", "layer", "group", "instance"]
NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)


@dataclass(frozen=True)
class StatisticsSet:
    """The values that share one mean and one variance.

    ``values`` are in the order image, channel, row, column; ``group`` is set for group norm only.
    """

    label: str
    images: tuple[int, ...]
    channels: tuple[int, ...]
    block: tuple[int, int]
    values: tuple[Fraction, ...]
    group: int | None = None
    uses_filled_in: bool = False

    @property
    def first_position(self) -> Position:
        """The 0-based position of the first value."""
        return self.images[0], self.channels[0], 0, 0

    @property
    def count(self) -> int:
        """n, the number of values."""
        return len(self.values)

    @cached_property
    def total(self) -> Fraction:
        """Σx."""
        return sum(self.values, Fraction(0))

    @cached_property
    def mean(self) -> Fraction:
        """μ = Σx / n."""
        return self.total / self.count

    @cached_property
    def squared_deviations(self) -> tuple[Fraction, ...]:
        """(x - μ)² of every value, in the order of the values."""
        return tuple((value - self.mean) ** 2 for value in self.values)

    @cached_property
    def variance(self) -> Fraction:
        """σ² = Σ(x - μ)² / n."""
        return sum(self.squared_deviations, Fraction(0)) / self.count

    @cached_property
    def std(self) -> float:
        """σ = √σ², without eps."""
        return math.sqrt(self.variance)


@dataclass(frozen=True)
class Affine:
    """The normalization: x̂ = (x - μ) / √(σ² + eps) and y = gamma · x̂ + beta, gamma and beta per channel."""

    eps: Fraction
    gamma: tuple[Fraction, ...] | None
    beta: tuple[Fraction, ...] | None

    def read_scale(self, channel: int) -> tuple[Fraction, Fraction]:
        """Return gamma and beta of a channel, 1 and 0 if they are not given."""
        gamma = self.gamma[channel] if self.gamma else Fraction(1)
        return gamma, self.beta[channel] if self.beta else Fraction(0)

    def standardize(self, value: Fraction, *, mean: Fraction, variance: Fraction) -> float:
        """Return x̂; if σ² + eps is 0, so is the numerator, and 0 stands for 0/0."""
        spread = variance + self.eps
        return float(value - mean) / math.sqrt(spread) if spread else 0.0

    def apply(self, value: Fraction, *, channel: int, mean: Fraction, variance: Fraction) -> float:
        """Return y."""
        gamma, beta = map(float, self.read_scale(channel))
        return gamma * self.standardize(value, mean=mean, variance=variance) + beta


@dataclass(frozen=True)
class Appendix:
    """Every set of every normalization, the normalized tensors, and notes for the reader."""

    sample: Sample
    groups: int
    affine: Affine
    sets: Mapping[Normalization, tuple[StatisticsSet, ...]]
    normalized: Mapping[Normalization, Tensor]
    notes: tuple[str, ...]


def work_out(
    pixels: object, *, groups: object = 2, eps: object = 0.0, gamma: object = None, beta: object = None
) -> Appendix:
    """Work out the statistics of all four normalizations for nested lists [N][C][H][W] or a Sample.

    ``gamma`` and ``beta`` are one number per channel and are applied alike after every normalization
    (torch's LayerNorm learns one per pixel instead). Arguments are unchecked user input.

    Raises:
        InvalidTensorError: an argument is invalid; the message says what would be valid.
    """
    sample = pixels if isinstance(pixels, Sample) else read_sample(pixels)
    channels = sample.shape[1]
    group_count = read_groups(groups, channels=channels)
    affine = Affine(
        eps=read_eps(eps),
        gamma=read_per_channel(gamma, name="gamma", channels=channels),
        beta=read_per_channel(beta, name="beta", channels=channels),
    )
    sets = _collect_sets(sample, groups=group_count)
    return Appendix(
        sample=sample,
        groups=group_count,
        affine=affine,
        sets=sets,
        normalized={name: _normalize(sample, sets=sets[name], affine=affine) for name in NORMALIZATIONS},
        notes=sample.notes + _write_notes(sample, sets=sets, groups=group_count, affine=affine),
    )


def _collect_sets(sample: Sample, *, groups: int) -> dict[Normalization, tuple[StatisticsSet, ...]]:
    images, channels = tuple(range(sample.shape[0])), tuple(range(sample.shape[1]))
    width = len(channels) // groups
    grouped = [(g, channels[g * width : (g + 1) * width]) for g in range(groups)]
    return {
        "batch": tuple(_build_set(sample, images=images, channels=(c,)) for c in channels),
        "layer": tuple(_build_set(sample, images=(n,), channels=channels) for n in images),
        "group": tuple(
            _build_set(sample, images=(n,), channels=members, group=g)
            for n in images
            for g, members in grouped
        ),
        "instance": tuple(_build_set(sample, images=(n,), channels=(c,)) for n in images for c in channels),
    }


def _build_set(
    sample: Sample, *, images: tuple[int, ...], channels: tuple[int, ...], group: int | None = None
) -> StatisticsSet:
    count, depth, rows, columns = sample.shape
    positions = list(sample.positions(images, channels))
    if len(channels) == depth and depth > 1:
        channel_part = "all channels"
    elif len(channels) > 3:
        channel_part = f"{sample.channel_names[channels[0]]} to {sample.channel_names[channels[-1]]}"
    else:
        channel_part = " + ".join(sample.channel_names[c] for c in channels)
    image_part = f"image {images[0] + 1}" if len(images) == 1 else f"all {count} images"
    return StatisticsSet(
        label=f"{image_part}, {channel_part}",
        images=images,
        channels=channels,
        block=(rows, columns),
        values=tuple(sample.pixel(position) for position in positions),
        group=group,
        uses_filled_in=any(position in sample.filled_in for position in positions),
    )


def _normalize(sample: Sample, *, sets: tuple[StatisticsSet, ...], affine: Affine) -> Tensor:
    owner = {(n, c): one for one in sets for n in one.images for c in one.channels}

    def normalize(position: Position) -> float:
        image, channel, _, _ = position
        one = owner[image, channel]
        return affine.apply(sample.pixel(position), channel=channel, mean=one.mean, variance=one.variance)

    return build_tensor(sample.shape, normalize)


def _write_notes(
    sample: Sample,
    *,
    sets: Mapping[Normalization, tuple[StatisticsSet, ...]],
    groups: int,
    affine: Affine,
) -> tuple[str, ...]:
    images, channels, _, _ = sample.shape
    notes = [
        "Variance is the population variance: squared deviations are divided by n, not n − 1. "
        "σ is its root without eps."
    ]
    if not affine.eps:
        notes.append(
            "ε is 0 here, so that every figure can be checked by hand. The networks use 0.00001, PyTorch's "
            "default, which makes x̂ smaller by a share of about ε/(2σ²)."
        )
    for name in NORMALIZATIONS:
        constant = [one.label for one in sets[name] if not one.variance + affine.eps]
        if constant:
            named = "; ".join(constant[:3]) + (f"; and {len(constant) - 3} more" if len(constant) > 3 else "")
            notes.append(
                f"{name.capitalize()} norm ({named}): all values are equal and eps is 0, so (x − μ)/σ "
                "is 0/0. The output is written as 0 before gamma and beta, as any eps above 0 would make it."
            )
    if channels > 1 and groups == 1:
        notes.append("With groups = 1 group norm shares its statistics with layer norm over (C, H, W).")
    if channels > 1 and groups == channels:
        notes.append("With one channel per group, group norm shares its statistics with instance norm.")
    if images == 1:
        notes.append("With a single image batch norm shares its statistics with instance norm.")
    if affine.gamma or affine.beta:
        notes.append(
            "gamma and beta are applied per channel after every normalization; torch's LayerNorm "
            "over (C, H, W) learns one of each per pixel instead."
        )
    return tuple(notes)
