"""Explain in words each normalization, the layer's formula, and batch norm at inference."""

from dataclasses import dataclass

from service.appendix.inference import MOMENTUM, START_MEAN, START_VARIANCE, update_running
from service.appendix.layer import LayerValue, follow_first_value
from service.appendix.notation import write_decimal, write_minus
from service.appendix.statistics import NORMALIZATIONS, Appendix, Normalization

FORMULA = (
    "Every normalization turns a value x into an output y in the same way. μ and σ² are the mean and the "
    "variance of the set that x belongs to; ε keeps the root above 0. γ and β are learned, one of each per "
    "channel (in layer norm over (C, H, W) one per element), and start as γ = 1 and β = 0."
)
_KEPT = 1 - MOMENTUM
INFERENCE = (
    "In training, batch norm takes mean and variance from the batch. At inference an output must not depend "
    "on the other images, so each channel keeps a running mean and a running variance in training, and uses "
    "those in eval mode (Ioffe & Szegedy 2015, algorithm 2).",
    f"Each training batch moves them by m = {write_decimal(MOMENTUM)}, the momentum: PyTorch's default, with "
    "which the networks train. In PyTorch it is the weight of the new batch, not of what is kept.",
    "The variance that normalizes the batch is divided by n, but the one that enters the running variance by "
    "n − 1: PyTorch uses both.",
    f"After k batches the starting values, {START_MEAN} and {START_VARIANCE}, still weigh "
    f"{write_decimal(_KEPT)}ᵏ: {float(100 * _KEPT**10):.0f} % after 10, "
    f"{float(100 * _KEPT**44):.0f} % after 44.",
    "Layer, group and instance norm keep no running statistics: they compute the same in training and at "
    "inference, from each image alone.",
)


@dataclass(frozen=True)
class Description:
    """A normalization in words: its name, its rule in short and in a sentence, and its paper."""

    name: str
    rule: str
    sharing: str
    source: str


DESCRIPTIONS: dict[Normalization, Description] = {
    "batch": Description(
        "Batch norm",
        "one set per channel, over all images",
        "Each channel has one mean and one variance, over all images and pixels.",
        "Ioffe & Szegedy 2015",
    ),
    "layer": Description(
        "Layer norm",
        "one set per image, over all its channels",
        "Each image has one mean and one variance, over all its channels and pixels.",
        "Ba, Kiros & Hinton 2016",
    ),
    "group": Description(
        "Group norm",
        "one set per image and group of channels",
        "The channels of each image are split into groups of neighbors, and each group has its own mean and "
        "variance.",
        "Wu & He 2018",
    ),
    "instance": Description(
        "Instance norm",
        "one set per image and channel",
        "Each channel of each image has its own mean and variance.",
        "Ulyanov, Vedaldi & Lempitsky 2016",
    ),
}


def describe_traced(followed: LayerValue) -> str:
    """Say which value is followed, and with what ε, γ and β."""
    settings = {"ε": followed.eps, "γ": followed.gamma, "β": followed.beta}
    numbers = ", ".join(f"{name} = {write_decimal(value)}" for name, value in settings.items())
    return write_minus(f"{write_decimal(followed.value)} ({followed.place}) in each of them, with {numbers}.")


def trace_value(appendix: Appendix) -> list[tuple[str, LayerValue]]:
    """Follow the tensor's first value through each normalization, and through batch norm at inference."""
    traced = [
        (DESCRIPTIONS[name].name, follow_first_value(appendix, appendix.sets[name][0]))
        for name in NORMALIZATIONS
    ]
    running = update_running(appendix)
    if running:
        traced.append(("Batch norm, at inference", follow_first_value(appendix, running[0])))
    return traced
