"""Legibility of pictures: ink, pieces, stroke width and sharpness."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

INK_LEVEL = 128
"""A pixel is part of a piece from half of white on."""

AT_ONCE = 500
"""Pictures whose slopes fit a processor's cache."""

IN_PLANE = np.zeros((3, 3, 3), dtype=bool)
IN_PLANE[1] = True
"""A pixel's eight neighbours in its own picture, and none in the next."""


@dataclass(frozen=True, kw_only=True)
class Legibility:
    """Measures (N,) of N pictures, all 0 where a picture is black.

    ``ink`` is the sum of all pixels, in white ones; ``pieces`` the number of parts that do not touch, not
    even at a corner; ``stroke_width`` the ink divided by half the length of its outline, in pixels, which is
    the width of a long line; ``sharpness`` the mean slope of the grey along the outline, per pixel: 1 for
    white beside black, and less the wider the blur.
    """

    ink: NDArray[np.float64]
    pieces: NDArray[np.float64]
    stroke_width: NDArray[np.float64]
    sharpness: NDArray[np.float64]


def measure_legibility(images: NDArray[np.uint8]) -> Legibility:
    """Measure pictures (N, H, W), light on black.

    The outline's length is the sum of slopes over the picture: the mean length of the contours of all grey
    levels (coarea formula), so that no threshold is needed. Slopes are taken by Roberts' cross, which gives
    straight edges their length both upright and at 45°.
    """
    parts = [vars(_measure(part)) for part in np.array_split(images, max(1, len(images) // AT_ONCE))]
    return Legibility(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _measure(images: NDArray[np.uint8]) -> Legibility:
    pixels = np.pad(images, ((0, 0), (1, 1), (1, 1))).astype(np.float32) / 255
    falling = pixels[:, 1:, 1:] - pixels[:, :-1, :-1]
    rising = pixels[:, 1:, :-1] - pixels[:, :-1, 1:]
    squares = (falling**2 + rising**2) / 2
    ink, length, steepness = (
        values.sum(axis=(1, 2), dtype=np.float64) for values in (pixels, np.sqrt(squares), squares)
    )
    return Legibility(
        ink=ink,
        pieces=_count_pieces(images),
        stroke_width=_divide(2 * ink, length),
        sharpness=_divide(steepness, length),
    )


def _count_pieces(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    labels, num_pieces = ndimage.label(images >= INK_LEVEL, structure=IN_PLANE)
    places = np.nonzero(labels)
    picture_of_piece = np.zeros(num_pieces + 1, dtype=np.int64)
    picture_of_piece[labels[places]] = places[0]
    return np.bincount(picture_of_piece[1:], minlength=len(images)).astype(np.float64)


def _divide(numerator: NDArray[np.float64], length: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(numerator, length, out=np.zeros_like(length), where=length > 0)
