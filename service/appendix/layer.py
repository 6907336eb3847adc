"""Follow one value through a normalization layer: x̂ = (x − μ)/√(σ² + ε), then y = γx̂ + β."""

from dataclasses import dataclass
from fractions import Fraction

from service.appendix.inference import RunningStatistics
from service.appendix.statistics import Appendix, StatisticsSet
from service.appendix.tensor import Position


@dataclass(frozen=True)
class LayerValue:
    """A value with all that turns it into its output; ``position`` is 0-based, ``place`` in words."""

    position: Position
    place: str
    value: Fraction
    mean: Fraction
    variance: Fraction
    eps: Fraction
    gamma: Fraction
    beta: Fraction
    standardized: float
    output: float


def follow_first_value(appendix: Appendix, statistics: StatisticsSet | RunningStatistics) -> LayerValue:
    """Follow the first value of a set: in training, or at inference for running statistics."""
    one = statistics.batch if isinstance(statistics, RunningStatistics) else statistics
    affine, position, value = appendix.affine, one.first_position, one.values[0]
    mean, variance, channel = statistics.mean, statistics.variance, one.channels[0]
    gamma, beta = affine.read_scale(channel)
    return LayerValue(
        position=position,
        place=appendix.sample.describe(position),
        value=value,
        mean=mean,
        variance=variance,
        eps=affine.eps,
        gamma=gamma,
        beta=beta,
        standardized=affine.standardize(value, mean=mean, variance=variance),
        output=affine.apply(value, channel=channel, mean=mean, variance=variance),
    )
