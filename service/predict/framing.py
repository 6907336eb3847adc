"""Ink → the 28×28 pixels the networks were trained on.

MNIST's own recipe: light ink on black, the digit scaled into 20×20, its centre of mass in the middle.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from lab.experiments.architecture import IMAGE_SIZE
from service.predict.decoding import Gray

DIGIT_SIZE = 20
INK_THRESHOLD = 0.25
# Strokes of MNIST's digits, in its own pixels; thinner ones fade when the picture is scaled down.
STROKE_WIDTH = 2.0

Number = TypeVar("Number", bound=np.generic)


def is_framed(ink: Gray) -> bool:
    """Return whether the digit is centred in 28×28 and leaves a margin, as in every training image."""
    if ink.shape != (IMAGE_SIZE, IMAGE_SIZE):
        return False
    rows, columns = np.nonzero(ink > INK_THRESHOLD)
    if not len(rows):
        return False
    size = max(np.ptp(rows), np.ptp(columns)) + 1
    off_centre = np.abs(_centre_of_mass(ink) - (IMAGE_SIZE - 1) / 2)
    return bool(12 <= size <= DIGIT_SIZE + 2 and off_centre.max() <= 3)


def frame(ink: Gray, steps: list[str]) -> NDArray[np.uint8]:
    """Crop to the ink, thicken thin strokes, scale into 20×20, put the centre of mass in the middle."""
    cropped = _crop(ink)
    scale = DIGIT_SIZE / max(cropped.shape)
    thick = to_bytes(np.pad(cropped, round(STROKE_WIDTH / scale)))
    missing = STROKE_WIDTH / scale - _estimate_stroke_width(cropped)
    if missing > 1:
        thick = ndimage.maximum_filter(thick, 2 * round(missing / 2) + 1)
        steps.append("thickened thin strokes")
    thick = _crop(thick)
    scale = DIGIT_SIZE / max(thick.shape)
    size = (max(1, round(thick.shape[1] * scale)), max(1, round(thick.shape[0] * scale)))
    small = np.asarray(Image.fromarray(thick).resize(size, Image.Resampling.LANCZOS), dtype=np.float32) / 255
    small = np.clip(small / max(float(small.max()), 1e-6), 0, 1)
    framed = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.float32)
    corner = np.round((IMAGE_SIZE - 1) / 2 - _centre_of_mass(small)).astype(int)
    top, left = np.clip(corner, 0, IMAGE_SIZE - np.array(small.shape))
    framed[top : top + small.shape[0], left : left + small.shape[1]] = small
    steps.append(f"scaled to {size[0]}×{size[1]} and centred by mass in 28×28")
    return to_bytes(framed)


def to_bytes(ink: Gray) -> NDArray[np.uint8]:
    """Convert levels 0–1 to 0–255."""
    return np.clip(np.round(ink * 255), 0, 255).astype(np.uint8)


def _crop(ink: NDArray[Number]) -> NDArray[Number]:
    rows, columns = np.nonzero(ink)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _estimate_stroke_width(ink: Gray) -> float:
    """Twice the area over the perimeter: the width of a long stroke, in pixels."""
    mask = np.pad(ink > 0, 1)
    perimeter = sum(int(np.count_nonzero(np.diff(mask, axis=axis))) for axis in (0, 1))
    return 2 * int(np.count_nonzero(mask)) / max(perimeter, 1)


def _centre_of_mass(ink: Gray) -> NDArray[np.float64]:
    total = max(float(ink.sum()), 1e-6)
    rows, columns = np.indices(ink.shape)
    return np.array([float((rows * ink).sum()) / total, float((columns * ink).sum()) / total])
