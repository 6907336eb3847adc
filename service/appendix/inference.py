"""Compute the running statistics that batch norm uses at inference, in exact fractions.

In training, batch norm normalizes by the batch's own mean and population variance, and moves its running
statistics toward the batch's mean and *unbiased* variance; in eval mode it normalizes by the running ones
(Ioffe & Szegedy 2015, algorithm 2; PyTorch's BatchNorm2d). The other normalizations keep none.
"""

from dataclasses import dataclass
from fractions import Fraction

from service.appendix.statistics import Appendix, StatisticsSet
from service.appendix.tensor import Position, Tensor, build_tensor

# PyTorch's defaults, which the networks use.
MOMENTUM = Fraction(1, 10)
START_MEAN, START_VARIANCE = Fraction(0), Fraction(1)


@dataclass(frozen=True)
class RunningStatistics:
    """One channel's running statistics after their first update by a batch of more than one value."""

    batch: StatisticsSet

    @property
    def unbiased_variance(self) -> Fraction:
        """s² = n/(n - 1) · σ²."""
        return self.batch.variance * self.batch.count / (self.batch.count - 1)

    @property
    def mean(self) -> Fraction:
        """(1 - m) · 0 + m · μ."""
        return (1 - MOMENTUM) * START_MEAN + MOMENTUM * self.batch.mean

    @property
    def variance(self) -> Fraction:
        """(1 - m) · 1 + m · s²."""
        return (1 - MOMENTUM) * START_VARIANCE + MOMENTUM * self.unbiased_variance


def update_running(appendix: Appendix) -> tuple[RunningStatistics, ...]:
    """Update each channel's running statistics once; none if a channel holds a single value.

    The unbiased variance of one value is 0/0, and PyTorch refuses to train on it.
    """
    sets = appendix.sets["batch"]
    return tuple(map(RunningStatistics, sets)) if sets[0].count > 1 else ()


def normalize_by_running(appendix: Appendix, running: tuple[RunningStatistics, ...]) -> Tensor:
    """Normalize the tensor (N, C, H, W) by each channel's running statistics, as in eval mode."""

    def normalize(position: Position) -> float:
        value, channel = appendix.sample.pixel(position), position[1]
        one = running[channel]
        return appendix.affine.apply(value, channel=channel, mean=one.mean, variance=one.variance)

    return build_tensor(appendix.sample.shape, normalize)
