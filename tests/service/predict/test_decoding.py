"""Depths, colours and sizes of picture files, which all give the same digit."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, features

from lab.errors import TooLargeError
from service.predict.decoding import WORKING_SIZE, decode_picture
from service.predict.preparation import prepare_picture
from tests.pictures.hand import encode
from tests.pictures.strokes import draw_glyph

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def coverage() -> NDArray[np.float64]:
    """A 3 on a sheet: ink from 0 to 1."""
    ink = draw_glyph("3", height=140, pen=14, generator=np.random.default_rng(0))
    return np.pad(ink, 40)


def prepare(data: bytes) -> Pixels:
    (figure,) = prepare_picture(data).figures
    return figure.pixels


def differ(first: Pixels, second: Pixels) -> float:
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


@pytest.fixture(scope="module")
def expected(coverage: NDArray[np.float64]) -> Pixels:
    """The 3 in 8 bits."""
    return prepare(encode((255 * (1 - coverage)).astype(np.uint8)))


@pytest.mark.parametrize("depth", [1023, 4095, 16_383, 65_535])
def test_integers_of_every_depth(coverage: NDArray[np.float64], expected: Pixels, depth: int) -> None:
    deep = Image.fromarray((depth * (1 - coverage)).astype(np.uint16))

    assert differ(prepare(encode(deep)), expected) < 2
    assert differ(prepare(encode(deep, "TIFF")), expected) < 2


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (255.0, 0.0), (2.0, -1.0)])
def test_floats(coverage: NDArray[np.float64], expected: Pixels, scale: float, offset: float) -> None:
    levels = (scale * (1 - coverage) + offset).astype(np.float32)

    assert differ(prepare(encode(Image.fromarray(levels), "TIFF")), expected) < 2


def test_floats_that_are_no_numbers_are_black(coverage: NDArray[np.float64]) -> None:
    levels = (1 - coverage).astype(np.float32)
    levels[coverage > 0.5] = np.nan

    assert prepare(encode(Image.fromarray(levels), "TIFF")).max() == 255


def test_two_colours_of_one_brightness(coverage: NDArray[np.float64], expected: Pixels) -> None:
    red, green = np.array([237, 64, 51]), np.array([51, 158, 51])
    assert np.ptp(np.asarray(Image.fromarray(np.array([[red, green]], np.uint8)).convert("L"))) < 15
    colors = green + (red - green) * coverage[..., None]

    assert differ(prepare(encode(colors.astype(np.uint8))), expected) < 4


@pytest.mark.parametrize(("paper", "ink"), [(127, 0), (140, 255), (120, 30), (60, 10), (127, 255)])
def test_grounds_of_every_grey(coverage: NDArray[np.float64], expected: Pixels, paper: int, ink: int) -> None:
    levels = (paper + (ink - paper) * coverage).astype(np.uint8)

    assert differ(prepare(encode(levels)), expected) < 6


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow decodes no AVIF")
def test_avif(coverage: NDArray[np.float64], expected: Pixels) -> None:
    assert differ(prepare(encode((255 * (1 - coverage)).astype(np.uint8), "AVIF")), expected) < 4


def test_sticker_on_a_transparent_surround(coverage: NDArray[np.float64], expected: Pixels) -> None:
    gray = np.pad((255 * (1 - coverage)).astype(np.uint8), 60)
    alpha = np.pad(np.full(coverage.shape, 255, np.uint8), 60)

    assert differ(prepare(encode(np.dstack((gray, gray, gray, alpha)))), expected) < 2


def test_dark_desk_and_black_frame_are_not_ink(coverage: NDArray[np.float64], expected: Pixels) -> None:
    assert differ(prepare(encode(np.pad((255 * (1 - coverage)).astype(np.uint8), 20))), expected) < 8


def test_photo_of_48_megapixels_is_decoded_small() -> None:
    photo = Image.new("L", (8000, 6000), 200)
    photo.paste(20, (3800, 2000, 4200, 4000))
    decoded = decode_picture(encode(photo, "JPEG"))

    assert (decoded.width, decoded.height) == (8000, 6000)
    assert max(decoded.gray.shape) == WORKING_SIZE


def test_larger_jpeg_is_refused() -> None:
    with pytest.raises(TooLargeError, match="at most 64 million pixels"):
        decode_picture(encode(Image.new("L", (9000, 8000)), "JPEG", quality=10))


@pytest.mark.parametrize("size", [(12_000, 3), (3, 12_000)])
def test_deep_pictures_of_any_proportion(size: tuple[int, int]) -> None:
    stripe = np.full(size, 60_000, dtype=np.uint16)
    stripe[5_000:6_000] = 0

    assert decode_picture(encode(Image.fromarray(stripe))).width == size[1]
