"""The normalization layers by name."""

from torch import nn


def build_normalization(
    name: str, *, shape: tuple[int, int, int], num_groups: int, affine: bool
) -> nn.Module:
    """One normalization layer for activations of ``shape`` (C, H, W).

    Layer normalization spans (C, H, W) with one γ and β per element (Ba et al. 2016); group normalization
    with one group, GroupNorm(1, C), shares its statistics but has one γ and β per channel (Wu & He 2018).
    Instance normalization keeps no running statistics (Ulyanov et al. 2016). ``num_groups`` matters to
    group normalization alone.
    """
    channels = shape[0]
    match name:
        case "batch":
            return nn.BatchNorm2d(channels, affine=affine)
        case "group":
            return nn.GroupNorm(num_groups, channels, affine=affine)
        case "layer":
            return nn.LayerNorm(shape, elementwise_affine=affine)
        case "instance":
            return nn.InstanceNorm2d(channels, affine=affine)
        case _:
            return nn.Identity()
