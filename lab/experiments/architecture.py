"""The study's network as a table, without a tensor library.

``ROWS`` is the one description of the network: ``lab.networks`` builds it, ``describe_layers`` counts it.
"""

from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, int, int]

IMAGE_SIZE = 28
NUM_CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the network: an optional pool, a convolution without bias, and, in a block, the rest.

    A block is convolution → normalization → ReLU → dropout; other rows are the bare convolution.
    """

    number: int
    in_channels: int
    out_channels: int
    kernel_size: int
    padding: int = 0
    is_block: bool = False
    pool: Literal["max", "average"] | None = None
    pool_size: int = 1


ROWS: tuple[Row, ...] = (
    Row(number=1, in_channels=1, out_channels=16, kernel_size=3, is_block=True),
    Row(number=2, in_channels=16, out_channels=8, kernel_size=1),
    Row(number=3, in_channels=8, out_channels=8, kernel_size=3, is_block=True),
    Row(number=4, in_channels=8, out_channels=16, kernel_size=3, padding=1, is_block=True),
    Row(number=5, in_channels=16, out_channels=8, kernel_size=1, pool="max", pool_size=2),
    Row(number=6, in_channels=8, out_channels=8, kernel_size=3, is_block=True),
    Row(number=7, in_channels=8, out_channels=14, kernel_size=3, padding=1, is_block=True),
    Row(number=8, in_channels=14, out_channels=8, kernel_size=1),
    Row(number=9, in_channels=8, out_channels=16, kernel_size=3, is_block=True),
    Row(number=10, in_channels=16, out_channels=18, kernel_size=3, is_block=True),
    Row(number=11, in_channels=18, out_channels=NUM_CLASSES, kernel_size=1, pool="average", pool_size=6),
)

NORMALIZED_CHANNELS: tuple[int, ...] = tuple(row.out_channels for row in ROWS if row.is_block)


def list_block_shapes() -> list[Shape]:
    """The output shape (C, H, W) of each block, for one image."""
    shapes = []
    size = IMAGE_SIZE
    for row in ROWS:
        size = size // row.pool_size + 2 * row.padding - row.kernel_size + 1
        if row.is_block:
            shapes.append((row.out_channels, size, size))
    return shapes


NORMALIZATION_TYPES = {
    "batch": "BatchNorm2d",
    "group": "GroupNorm",
    "layer": "LayerNorm",
    "instance": "InstanceNorm2d",
}


@dataclass(frozen=True, kw_only=True)
class LayerDescription:
    """One layer: its type, its output shape (C, H, W) for one image, and its cost.

    ``name`` is the layer's name in the network's state dict; ``row`` the row of the study's table.
    """

    row: int
    name: str
    type: str
    detail: str
    output_shape: Shape
    parameters: int
    multiply_adds: int


def describe_layers(
    normalization: str, *, num_groups: tuple[int, ...] = (), affine: bool = True, dropout: float = 0.0
) -> list[LayerDescription]:
    """List the network's layers in the order an image meets them.

    ``num_groups`` has one number per block when the normalization is group. Multiply-adds are those of the
    convolutions, for one image forward.
    """
    layers: list[LayerDescription] = []
    size = IMAGE_SIZE
    remaining_groups = iter(num_groups)
    for row in ROWS:
        pooled_size = size // row.pool_size
        size = pooled_size + 2 * row.padding - row.kernel_size + 1
        if row.pool is not None:
            layers.append(_describe_pool(row, pooled_size))
        layers.append(_describe_convolution(row, size))
        if not row.is_block:
            continue
        shape = (row.out_channels, size, size)
        if normalization != "none":
            groups = next(remaining_groups, 1)
            layers.append(
                _describe_normalization(row, shape, normalization, num_groups=groups, affine=affine)
            )
        layers.append(_describe(row, "relu", "ReLU", shape))
        if dropout > 0:
            layers.append(_describe(row, "dropout", "Dropout", shape, detail=f"p = {dropout:g}"))
    last = ROWS[-1]
    return [*layers, _describe(last, "log_softmax", "LogSoftmax", (last.out_channels, size, size))]


def _describe(
    row: Row, kind: str, type_name: str, shape: Shape, *, detail: str = "", **costs: int
) -> LayerDescription:
    return LayerDescription(
        row=row.number,
        name=f"{kind}{row.number}",
        type=type_name,
        detail=detail,
        output_shape=shape,
        parameters=costs.get("parameters", 0),
        multiply_adds=costs.get("multiply_adds", 0),
    )


def _describe_pool(row: Row, size: int) -> LayerDescription:
    type_name = "MaxPool2d" if row.pool == "max" else "AvgPool2d"
    detail = f"{row.pool_size}×{row.pool_size}"
    return _describe(row, "pool", type_name, (row.in_channels, size, size), detail=detail)


def _describe_convolution(row: Row, size: int) -> LayerDescription:
    weights = row.in_channels * row.out_channels * row.kernel_size**2
    padded = f", padding {row.padding}" if row.padding else ""
    return _describe(
        row,
        "conv",
        "Conv2d",
        (row.out_channels, size, size),
        detail=f"{row.in_channels}→{row.out_channels}, {row.kernel_size}×{row.kernel_size}{padded}",
        parameters=weights,
        multiply_adds=weights * size**2,
    )


def _describe_normalization(
    row: Row, shape: Shape, name: str, *, num_groups: int, affine: bool
) -> LayerDescription:
    """Describe a normalization layer: the values that share statistics, and its γ and β."""
    channels, height, width = shape
    elements = channels * height * width if name == "layer" else channels
    over = {
        "batch": f"{channels} channels",
        "group": f"{num_groups} groups of {channels // num_groups}",
        "layer": f"over {channels}×{height}×{width}",
        "instance": f"{channels} channels",
    }[name]
    detail = over if affine else f"{over}, no γ and β"
    parameters = 2 * elements if affine else 0
    return _describe(row, "norm", NORMALIZATION_TYPES[name], shape, detail=detail, parameters=parameters)
