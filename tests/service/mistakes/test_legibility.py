"""Measures of legibility, on drawn shapes whose ink, pieces, stroke width and sharpness are known."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from service.mistakes.legibility import AT_ONCE, Legibility, measure_legibility

Picture = NDArray[np.uint8]
SIZE = 28


def draw(shape: Any) -> Picture:
    """Draw what is True at (row, column), antialiased by 16 × 16 samples a pixel."""
    places = (np.arange(SIZE * 16) + 0.5) / 16
    samples = shape(places[:, np.newaxis], places[np.newaxis, :]).reshape(SIZE, 16, SIZE, 16)
    picture: Picture = (255 * samples.mean(axis=(1, 3))).round().astype(np.uint8)
    return picture


def draw_ring(inner: float, outer: float) -> Picture:
    return draw(lambda row, column: _is_between(np.hypot(row - 14, column - 14), inner, outer))


def _is_between(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    return (values >= low) & (values < high)


def draw_square(top: int, left: int, side: int) -> Picture:
    picture = np.zeros((SIZE, SIZE), dtype=np.uint8)
    picture[top : top + side, left : left + side] = 255
    return picture


def measure(*pictures: Picture) -> Legibility:
    return measure_legibility(np.stack(pictures))


@pytest.mark.parametrize("width", [2.0, 3.0, 5.0])
def test_a_ring_is_as_wide_as_drawn(width: float) -> None:
    """Its area is π·(R² − r²) and its outline 2π·(R + r), so that 2·area / outline is R − r."""
    measured = measure(draw_ring(7, 7 + width))

    assert measured.ink[0] == pytest.approx(np.pi * ((7 + width) ** 2 - 49), rel=0.005)
    assert measured.stroke_width[0] == pytest.approx(width, rel=0.05)
    assert measured.pieces[0] == 1


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_a_line_is_as_wide_upright_as_slanting(slope: float) -> None:
    across = np.hypot(1, slope)
    line = draw(
        lambda row, column: (
            (np.abs(column - 14 - slope * (row - 14)) < 1.5 * across) & _is_between(row, 4, 24)
        )
    )

    # Its two ends belong to the outline: width·length / (width + length).
    length = 20 * across
    assert measure(line).stroke_width[0] == pytest.approx(3 * length / (3 + length), rel=0.05)


def test_pieces_touch_at_corners_and_not_from_picture_to_picture() -> None:
    corners = np.maximum(draw_square(2, 2, 5), draw_square(7, 7, 5))
    apart = np.maximum(draw_square(2, 2, 5), draw_square(8, 8, 5))
    faint = (draw_square(2, 2, 5) * 0.4).astype(np.uint8)

    measured = measure(corners, apart, faint, corners)

    assert measured.pieces.tolist() == [1, 2, 0, 1]


def test_sharpness_is_the_slope_of_the_outline() -> None:
    square = draw_square(6, 6, 16)
    blurred = [ndimage.gaussian_filter(square.astype(float), sd).astype(np.uint8) for sd in (1, 2)]

    sharp, *less_sharp = measure(square, *blurred).sharpness

    assert sharp == pytest.approx(1, abs=0.02)
    assert sharp > 2 * less_sharp[0] > 2 * less_sharp[1]
    rows, columns = np.mgrid[:SIZE, :SIZE]
    cone = (255 * np.clip(1 - np.hypot(rows - 13.5, columns - 13.5) / 12, 0, 1)).astype(np.uint8)
    assert measure(cone).sharpness[0] == pytest.approx(1 / 12, rel=0.05)


def test_a_black_picture_has_nothing() -> None:
    measured = measure(np.zeros((SIZE, SIZE), dtype=np.uint8))

    assert all(values.tolist() == [0] for values in vars(measured).values())


def test_many_are_measured_as_one_by_one() -> None:
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (2 * AT_ONCE + 3, 8, 8)).astype(np.uint8)

    many = measure_legibility(pictures)

    for index in (0, AT_ONCE, len(pictures) - 1):
        one = measure_legibility(pictures[index : index + 1])
        for name, values in vars(one).items():
            assert vars(many)[name][index] == pytest.approx(values[0]), name
