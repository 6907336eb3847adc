"""Picture bytes → the 28×28 pixels the networks were trained on.

MNIST's own recipe: light ink on black, the digit scaled into 20×20, its centre of mass in the middle.
"""

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from lab.errors import InvalidImageError, TooLargeError
from lab.experiments.architecture import IMAGE_SIZE

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MAX_PIXELS = 25_000_000
WORKING_SIZE = 512
DIGIT_SIZE = 20
INK_THRESHOLD = 0.25
MIN_CONTRAST = 0.1
# Strokes of MNIST's digits, in its own pixels; thinner ones fade when the picture is scaled down.
STROKE_WIDTH = 2.0

Gray = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class PreparedImage:
    """A network's input: (28, 28) uint8, light on black, with the steps that led to it.

    ``is_framed`` tells one that was cut out, scaled and centred from one that was used as it is.
    """

    pixels: NDArray[np.uint8]
    is_framed: bool
    steps: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prepare_picture(data: bytes) -> PreparedImage:
    """Read a picture file of any common format.

    Raises:
        InvalidImageError: not a picture, or nothing drawn on it.
        TooLargeError: more than ``MAX_PIXELS`` pixels.
    """
    picture = _open(data)
    steps = [f"read {picture.format} of {picture.width}×{picture.height}"]
    try:
        gray = _to_gray(picture)
    except (OSError, ValueError) as error:
        raise InvalidImageError(
            f"A picture of colour mode {picture.mode} cannot be read; save it as grey or RGB."
        ) from error
    return _prepare(gray, steps)


def prepare_pixels(values: Any) -> PreparedImage:
    """Read 28 rows of 28 numbers, 0–255 or, where none is above 1, 0–1.

    Raises:
        InvalidImageError: another shape, other values, or nothing drawn.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.empty(0)
    # Strings, booleans and integers past 64 bits have other kinds.
    if array.shape != (IMAGE_SIZE, IMAGE_SIZE) or array.dtype.kind not in "iuf":
        raise InvalidImageError("pixels must be 28 lists of 28 numbers each, 0–255 or 0–1.")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 255:
        raise InvalidImageError("pixels has a value that is not a number from 0 to 255.")
    scaled = array if array.max() <= 1 else array / 255
    return _prepare(scaled.astype(np.float32), ["read 28×28 pixels"])


def _open(data: bytes) -> Image.Image:
    if not data:
        raise InvalidImageError(f"The upload is empty; send a picture ({', '.join(FORMATS)}).")
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        if picture.width * picture.height > MAX_PIXELS:
            raise TooLargeError(
                f"The picture has {picture.width}×{picture.height} pixels; send one of at most "
                f"{MAX_PIXELS // 1_000_000} million pixels."
            )
        picture.load()
    except Image.DecompressionBombError as error:
        raise TooLargeError(
            f"The picture is too large; send one of at most {MAX_PIXELS // 1_000_000} million pixels."
        ) from error
    # Pillow's decoders raise various errors for broken bytes.
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise InvalidImageError(
            f"The upload is not a picture that can be read; send one of {', '.join(FORMATS)}."
        ) from error
    return picture


def _to_gray(picture: Image.Image) -> Gray:
    """Convert to grey levels 0–1, at most ``WORKING_SIZE`` per side, upright; transparency becomes paper."""
    upright = ImageOps.exif_transpose(picture)
    upright.thumbnail((WORKING_SIZE, WORKING_SIZE), Image.Resampling.BOX)
    if upright.mode == "I;16":
        return np.asarray(upright, dtype=np.float32) / np.float32(65535)
    if not upright.has_transparency_data:
        return np.asarray(upright.convert("L"), dtype=np.float32) / 255
    layers = np.asarray(upright.convert("LA"), dtype=np.float32) / 255
    gray, alpha = layers[..., 0], layers[..., 1]
    # White ink on nothing would vanish on white paper.
    ink_is_light = bool((gray * alpha).sum() > 0.5 * max(alpha.sum(), 1e-6))
    paper = 0.0 if ink_is_light and alpha.min() < 0.5 else 1.0
    return gray * alpha + paper * (1 - alpha)


def _prepare(gray: Gray, steps: list[str]) -> PreparedImage:
    ink = gray
    border = np.concatenate((gray[0], gray[-1], gray[:, 0], gray[:, -1]))
    paper = float(np.median(border))
    if paper > 0.5:
        ink = 1 - gray
        steps.append("inverted: dark ink on light paper")
    contrast = float(ink.max() - ink.min())
    if contrast < MIN_CONTRAST:
        raise InvalidImageError(
            "The picture is blank: nothing on it stands out from its ground. Draw a digit."
        )
    if ink.shape == (IMAGE_SIZE, IMAGE_SIZE) and _is_framed(ink):
        steps.append("used as it is: 28×28 and centred like the training images")
        return PreparedImage(pixels=_to_bytes(ink), is_framed=False, steps=steps)
    warnings = []
    if contrast < 0.4:
        warnings.append("The picture has little contrast; a darker pen would help.")
    ink = _stretch(ink, min(paper, 1 - paper), steps)
    if float((ink > INK_THRESHOLD).mean()) > 0.6:
        warnings.append("More than half of the picture is ink; it may not be a single digit on plain paper.")
    framed = _to_bytes(_frame(ink, steps))
    return PreparedImage(pixels=framed, is_framed=True, steps=steps, warnings=warnings)


def _is_framed(ink: Gray) -> bool:
    """Return whether the digit is centred and leaves a margin, as in every training image."""
    rows, columns = np.nonzero(ink > INK_THRESHOLD)
    if not len(rows):
        return False
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    off_centre = np.abs(_centre_of_mass(ink) - (IMAGE_SIZE - 1) / 2)
    return bool(max(height, width) <= DIGIT_SIZE + 2 and max(height, width) >= 12 and off_centre.max() <= 3)


def _stretch(ink: Gray, paper: float, steps: list[str]) -> Gray:
    """Stretch paper to 0 and the strongest ink to 1; ink fainter than a quarter of it becomes 0."""
    stretched: Gray = np.clip((ink - paper) / max(float(ink.max()) - paper, 1e-6), 0, 1)
    stretched[stretched < INK_THRESHOLD] = 0
    steps.append("stretched to full contrast")
    return stretched


def _frame(ink: Gray, steps: list[str]) -> Gray:
    """Crop to the ink, thicken thin strokes, scale into 20×20, put the centre of mass in the middle."""
    rows, columns = np.nonzero(ink)
    cropped = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = DIGIT_SIZE / max(cropped.shape)
    picture = Image.fromarray(_to_bytes(np.pad(cropped, round(STROKE_WIDTH / scale))))
    missing = STROKE_WIDTH / scale - _estimate_stroke_width(cropped)
    if missing > 1:
        picture = picture.filter(ImageFilter.MaxFilter(2 * round(missing / 2) + 1))
        steps.append("thickened thin strokes")
    thick = np.asarray(picture)
    rows, columns = np.nonzero(thick)
    thick = thick[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = DIGIT_SIZE / max(thick.shape)
    size = (max(1, round(thick.shape[1] * scale)), max(1, round(thick.shape[0] * scale)))
    small = np.asarray(Image.fromarray(thick).resize(size, Image.Resampling.LANCZOS), dtype=np.float32) / 255
    small = np.clip(small / max(float(small.max()), 1e-6), 0, 1)
    framed = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.float32)
    corner = np.round((IMAGE_SIZE - 1) / 2 - _centre_of_mass(small)).astype(int)
    top, left = np.clip(corner, 0, IMAGE_SIZE - np.array(small.shape))
    framed[top : top + small.shape[0], left : left + small.shape[1]] = small
    steps.append(f"scaled to {size[0]}×{size[1]} and centred by mass in 28×28")
    return framed


def _estimate_stroke_width(ink: Gray) -> float:
    """Twice the area over the perimeter: the width of a long stroke, in pixels."""
    mask = np.pad(ink > 0, 1)
    perimeter = sum(int(np.count_nonzero(np.diff(mask, axis=axis))) for axis in (0, 1))
    return 2 * int(np.count_nonzero(mask)) / max(perimeter, 1)


def _centre_of_mass(ink: Gray) -> NDArray[np.float64]:
    total = max(float(ink.sum()), 1e-6)
    rows, columns = np.indices(ink.shape)
    return np.array([float((rows * ink).sum()) / total, float((columns * ink).sum()) / total])


def _to_bytes(ink: Gray) -> NDArray[np.uint8]:
    return np.clip(np.round(ink * 255), 0, 255).astype(np.uint8)
