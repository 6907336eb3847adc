"""A picture → its figures as the 28×28 pixels the networks were trained on.

Data flow: bytes → ``decode_picture`` → ``find_ink`` → ``split_figures`` → ``frame``, each in its own module.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lab.errors import InvalidImageError
from lab.experiments.architecture import IMAGE_SIZE
from service.predict.decoding import Gray, decode_picture
from service.predict.figures import Box, Figure, split_figures
from service.predict.framing import frame, is_framed, to_bytes
from service.predict.ink import FAINT_CONTRAST, find_ink

NUM_PIXELS = IMAGE_SIZE**2
MAX_BATCH = 256
PICTURE_SHAPES = (
    (IMAGE_SIZE, IMAGE_SIZE),
    (NUM_PIXELS,),
    (IMAGE_SIZE, IMAGE_SIZE, 1),
    (1, IMAGE_SIZE, IMAGE_SIZE),
    (1, NUM_PIXELS),
)
# Radius of the largest disc in a figure's ink, in framed pixels: at most 6 in MNIST, 9 in a filled disc.
MAX_STROKE_RADIUS = 7.5
WRONG_PIXELS = (
    "pixels must be 28 lists of 28 numbers each, 0–255 or 0–1; as well 784 numbers, 28×28×1, 1×28×28, or a "
    f"batch of up to {MAX_BATCH} of these."
)


@dataclass(frozen=True, kw_only=True)
class PreparedImage:
    """A network's input: (28, 28) uint8, light on black, with the steps that led to it.

    ``box`` is the figure's place in the picture. ``is_framed`` tells one that was cut out, scaled and centred
    from one that was used as it is. ``is_solid`` tells a filled shape, which no pen writes as a digit.
    """

    pixels: NDArray[np.uint8]
    box: Box
    is_framed: bool
    is_solid: bool = False
    steps: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PreparedPicture:
    """A picture's figures, line by line from left to right; there is at least one."""

    figures: list[PreparedImage]
    warnings: list[str] = field(default_factory=list)


def prepare_picture(data: bytes) -> PreparedPicture:
    """Prepare a picture file of any common format.

    Raises:
        InvalidImageError: not a picture, or nothing drawn on it.
        TooLargeError: more pixels than are read.
    """
    decoded = decode_picture(data)
    picture = _prepare(decoded.gray, decoded.steps)
    scale = max(decoded.width, decoded.height) / max(decoded.gray.shape)
    figures = [replace(figure, box=figure.box.scale(scale)) for figure in picture.figures]
    return PreparedPicture(figures=figures, warnings=[*decoded.warnings, *picture.warnings])


def prepare_pixels(values: Any) -> PreparedPicture:
    """Prepare 28×28 numbers, 0–255 or, where none is above 1, 0–1; as well 784, 28×28×1 or 1×28×28.

    Raises:
        InvalidImageError: another shape, other values, or nothing drawn.
    """
    array = read_numbers(values)
    if array.size != NUM_PIXELS or array.shape not in PICTURE_SHAPES:
        raise InvalidImageError(WRONG_PIXELS)
    array = array.reshape(IMAGE_SIZE, IMAGE_SIZE)
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 255:
        raise InvalidImageError("pixels has a value that is not a number from 0 to 255.")
    scaled = array if array.max() <= 1 else array / 255
    return _prepare(scaled.astype(np.float32), ["read 28×28 pixels"])


def read_numbers(values: Any) -> NDArray[Any]:
    """Nested lists of numbers as an array.

    Raises:
        InvalidImageError: lists of different lengths, or something else in them.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InvalidImageError(WRONG_PIXELS) from error
    # Strings, booleans and integers past 64 bits have other kinds.
    if array.dtype.kind not in "iuf":
        raise InvalidImageError(WRONG_PIXELS)
    return array


def is_batch(array: NDArray[Any]) -> bool:
    """Return whether the array holds several pictures, along its first axis."""
    return array.shape not in PICTURE_SHAPES and array.shape[1:] in PICTURE_SHAPES


def _prepare(gray: Gray, steps: list[str]) -> PreparedPicture:
    ink = find_ink(gray)
    light_on_dark = gray
    if ink.is_dark:
        light_on_dark = 1 - gray
        steps = [*steps, "inverted: dark ink on light paper"]
    if is_framed(light_on_dark):
        steps = [*steps, "used as it is: 28×28 and centred like the training images"]
        whole = Box(left=0, top=0, right=IMAGE_SIZE, bottom=IMAGE_SIZE)
        pixels = to_bytes(light_on_dark)
        return PreparedPicture(
            figures=[PreparedImage(pixels=pixels, box=whole, is_framed=False, steps=steps)]
        )
    steps = [*steps, "stretched to full contrast" if ink.is_even else "divided by the uneven paper"]
    warnings = []
    if ink.contrast < FAINT_CONTRAST:
        warnings.append("The picture has little contrast; a darker pen would help.")
    if float((ink.levels > 0).mean()) > 0.6:
        warnings.append("More than half of the picture is ink; it may not be a single digit on plain paper.")
    figures = [_frame(figure, steps) for figure in split_figures(ink)]
    if len(figures) > 1:
        warnings.append(f"The picture shows {len(figures)} figures; digit is the first, digits has all.")
    return PreparedPicture(figures=figures, warnings=warnings)


def _frame(figure: Figure, steps: list[str]) -> PreparedImage:
    own_steps = list(steps)
    pixels = frame(figure.levels, own_steps)
    radius = float(ndimage.distance_transform_edt(pixels > 127).max())
    return PreparedImage(
        pixels=pixels, box=figure.box, is_framed=True, is_solid=radius > MAX_STROKE_RADIUS, steps=own_steps
    )
