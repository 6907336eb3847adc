"""Read and check the appendix's input: one small (N, C, H, W) tensor of numbers, as exact fractions."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import TypeVar, cast

from lab.errors import InvalidTensorError
from lab.wording import join_words

_Value = TypeVar("_Value")
Nested = tuple[tuple[tuple[tuple[_Value, ...], ...], ...], ...]
Pixels = Nested[Fraction]
Tensor = Nested[float]
Position = tuple[int, int, int, int]
Shape = tuple[int, int, int, int]

MAX_VALUES = 4096
MAX_MAGNITUDE = 1_000_000
MIN_MAGNITUDE = Fraction(1, 10**9)
LEVELS = "[N][C][H][W]"
_DIMENSIONS = ("N (images)", "C (channels)", "H (rows)", "W (columns)")
_KINDS = {
    bool: "true or false",
    float: "a decimal number",
    str: "text",
    type(None): "null",
    dict: "an object",
    list: "a list",
    tuple: "a list",
}


def build_tensor(shape: Shape, make: Callable[[Position], _Value]) -> Nested[_Value]:
    """Build nested tuples of the shape (N, C, H, W) from one value for each 0-based position."""
    images, channels, rows, columns = map(range, shape)
    return tuple(
        tuple(tuple(tuple(make((n, c, h, w)) for w in columns) for h in rows) for c in channels)
        for n in images
    )


@dataclass(frozen=True)
class Sample:
    """A tensor with its channel names, its filled-in values and notes on its source.

    ``pixels`` is indexed [image][channel][row][column]. ``filled_in`` holds the 0-based positions whose
    value is not the source's own, and ``notes`` what to say about the source.
    """

    pixels: Pixels
    channel_names: tuple[str, ...]
    filled_in: frozenset[Position] = field(default_factory=frozenset)
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape:
        """(N, C, H, W)."""
        image = self.pixels[0]
        return len(self.pixels), len(image), len(image[0]), len(image[0][0])

    def positions(self, images: tuple[int, ...], channels: tuple[int, ...]) -> Iterator[Position]:
        """Return the positions of these images and channels, in the order image, channel, row, column."""
        return product(images, channels, range(self.shape[2]), range(self.shape[3]))

    def all_positions(self) -> Iterator[Position]:
        """Return every position of the tensor, in the same order."""
        return self.positions(tuple(range(self.shape[0])), tuple(range(self.shape[1])))

    def describe(self, position: Position) -> str:
        """Name a 0-based position in words that count from 1."""
        image, channel, row, column = position
        return f"image {image + 1}, {self.channel_names[channel]}, row {row + 1}, column {column + 1}"

    def pixel(self, position: Position) -> Fraction:
        """Return the exact value at a 0-based position."""
        image, channel, row, column = position
        return self.pixels[image][channel][row][column]


def read_sample(pixels: object) -> Sample:
    """Read nested lists as a sample whose channels are named by number.

    Raises:
        InvalidTensorError: not four rectangular levels of at most 4,096 finite numbers, each 0 or
            between 1e-9 and 1e6 in size.
    """
    _require_four_levels(pixels)
    shape = _first_lengths(pixels)
    if math.prod(shape) > MAX_VALUES:
        raise InvalidTensorError(
            f"pixels of shape {'×'.join(map(str, shape))} hold {math.prod(shape):,} values; "
            f"at most {MAX_VALUES:,} are worked out by hand"
        )
    _require_rectangular(pixels, shape=shape)
    images = cast("list[list[list[list[object]]]]", pixels)

    def read(position: Position) -> Fraction:
        n, c, h, w = position
        return read_number(images[n][c][h][w], name=f"pixels[{n}][{c}][{h}][{w}]")

    return Sample(
        pixels=build_tensor(shape, read), channel_names=tuple(f"channel {c + 1}" for c in range(shape[1]))
    )


def read_number(value: object, *, name: str) -> Fraction:
    """Read a number as its decimal: 0.1 is 1/10, not the nearest binary fraction."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidTensorError(f"{name} is {_kind(value)}; only numbers can be worked out")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidTensorError(
            f"{name} is {'not a number (NaN)' if math.isnan(value) else 'infinite'}; it must be finite"
        )
    if abs(value) > MAX_MAGNITUDE:
        raise InvalidTensorError(f"{name} is larger than {MAX_MAGNITUDE:,} in size; scale the numbers down")
    exact = Fraction(str(value))
    if exact and abs(exact) < MIN_MAGNITUDE:
        raise InvalidTensorError(f"{name} is smaller than 1e-9 in size; make it 0 or scale the numbers up")
    return exact


def read_groups(groups: object, *, channels: int) -> int:
    """Read the number of channel groups, which must divide the channels."""
    if isinstance(groups, bool) or not isinstance(groups, int):
        raise InvalidTensorError(f"groups must be a whole number of at least 1, found {_kind(groups)}")
    if groups < 1:
        raise InvalidTensorError("groups must be a whole number of at least 1")
    if groups > channels or channels % groups:
        shown = f"groups={groups}" if groups <= MAX_MAGNITUDE else "groups"
        divisors = [str(d) for d in range(1, channels + 1) if channels % d == 0]
        raise InvalidTensorError(
            f"{shown} does not divide {channels} channel{'s' * (channels > 1)}; {join_words(divisors)} would"
        )
    return groups


def read_eps(eps: object) -> Fraction:
    """Read the number added to the variance under the root."""
    if isinstance(eps, float) and math.isfinite(eps) and 0 < eps < MIN_MAGNITUDE:
        return Fraction(str(eps))  # 1e-12 is a usual eps, and it is never squared
    exact = read_number(eps, name="eps")
    if exact < 0:
        raise InvalidTensorError(
            "eps is negative; it must be 0 or more, since it keeps the root's argument positive"
        )
    return exact


def read_per_channel(values: object, *, name: str, channels: int) -> tuple[Fraction, ...] | None:
    """Read gamma or beta: one number per channel, or None if it is missing."""
    if values is None:
        return None
    if not isinstance(values, list | tuple):
        raise InvalidTensorError(f"{name} must be a list of one number per channel, found {_kind(values)}")
    if len(values) != channels:
        raise InvalidTensorError(
            f"{name} has {len(values)} numbers for {channels} channels; give one per channel"
        )
    return tuple(read_number(value, name=f"{name}[{c}]") for c, value in enumerate(values))


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def _require_four_levels(pixels: object) -> None:
    if not isinstance(pixels, list | tuple):
        raise InvalidTensorError(f"pixels must be four nested lists {LEVELS}, found {_kind(pixels)}")
    found, level = 0, pixels
    while isinstance(level, list | tuple):
        found += 1
        if not level:
            raise InvalidTensorError(
                f"pixels holds an empty list at level {found}; "
                f"every level of {LEVELS} needs at least one entry"
            )
        level = level[0]
    if found != 4:
        hint = "; put a single image [C][H][W] in one more list" if found == 3 else ""
        raise InvalidTensorError(f"expected 4 levels {LEVELS}, found {found}{hint}")


def _first_lengths(pixels: object) -> Shape:
    lengths: list[int] = []
    while isinstance(pixels, list | tuple):
        lengths.append(len(pixels))
        pixels = pixels[0]
    images, channels, rows, columns = lengths
    return images, channels, rows, columns


def _require_rectangular(level: object, *, shape: tuple[int, ...], name: str = "pixels") -> None:
    """Refuse a list whose length differs from the first of its level, and a number in place of a list."""
    dimension = _DIMENSIONS[len(_DIMENSIONS) - len(shape)]
    if not isinstance(level, list | tuple):
        raise InvalidTensorError(f"{name} is {_kind(level)} where a list along {dimension} belongs")
    if len(level) != shape[0]:
        raise InvalidTensorError(
            f"{name} has {len(level)} entries along {dimension} where the first such list has {shape[0]}; "
            "all must be equally long"
        )
    if len(shape) > 1:
        for index, entry in enumerate(level):
            _require_rectangular(entry, shape=shape[1:], name=f"{name}[{index}]")
