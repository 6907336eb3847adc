import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from lab.errors import InvalidImageError, LabError, TooLargeError
from service.predict.decoding import FORMATS
from service.predict.preparation import prepare_picture, prepare_pixels
from tests.pictures.fuzz import damage, make_files

MAGIC = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"BM",
    b"RIFF\x24\0\0\0WEBPVP8 ",
    b"II*\0",
    b"P5 ",
]


def encode_digit(file_format: str) -> bytes:
    picture = Image.new("L", (40, 40), 255)
    ImageDraw.Draw(picture).line([(20, 5), (20, 35)], fill=0, width=4)
    file = io.BytesIO()
    picture.save(file, file_format)
    return file.getvalue()


def make_png_header(width: int, height: int) -> bytes:
    """The start of a PNG that announces its size; no pixel of it is there."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, data)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def encode_level(level: int, *, noise: int = 0) -> bytes:
    values = np.random.default_rng(0).integers(level - noise, level + noise + 1, size=(50, 50))
    file = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


class TestPicture:
    def test_empty_upload(self) -> None:
        with pytest.raises(InvalidImageError, match="The upload is empty; send a picture"):
            prepare_picture(b"")

    @pytest.mark.parametrize(
        "data",
        [b"seven", b"\0" * 100, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n", b"%!PS-Adobe"],
    )
    def test_what_is_no_picture(self, data: bytes) -> None:
        with pytest.raises(InvalidImageError, match=r"not a picture that can be read; send one of PNG, JPEG"):
            prepare_picture(data)

    @pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
    def test_half_a_file(self, file_format: str) -> None:
        data = encode_digit(file_format)
        prepare_picture(data)
        with pytest.raises(InvalidImageError, match=f"The {file_format} picture is truncated or damaged"):
            prepare_picture(data[: len(data) // 2])

    @pytest.mark.parametrize(
        ("level", "noise"), [(255, 0), (0, 0), (128, 0), (240, 5), (10, 5)], ids=lambda value: str(value)
    )
    def test_blank_paper(self, level: int, noise: int) -> None:
        with pytest.raises(InvalidImageError, match="The picture is blank"):
            prepare_picture(encode_level(level, noise=noise))

    def test_nothing_but_transparency(self) -> None:
        file = io.BytesIO()
        Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(file, "PNG")
        with pytest.raises(InvalidImageError, match="The picture is blank"):
            prepare_picture(file.getvalue())

    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    @pytest.mark.parametrize(
        ("width", "height"),
        [(5_001, 5_000), (10_000, 10_000), (100_000, 100_000), (2**31 - 1, 1)],
    )
    def test_more_pixels_than_are_read(self, width: int, height: int) -> None:
        with pytest.raises(TooLargeError, match="at most 25 million pixels") as error:
            prepare_picture(make_png_header(width, height))
        assert error.value.http_status == 413

    @pytest.mark.parametrize("file_format", ["ICO", "PDF", "EPS", "TGA"])
    def test_formats_that_are_not_offered(self, file_format: str) -> None:
        # Decoders that few use are not handed bytes from strangers.
        assert file_format not in FORMATS
        with pytest.raises(InvalidImageError):
            prepare_picture(encode_digit(file_format))

    @hypothesis_settings(deadline=None, derandomize=True)
    @given(st.sampled_from(MAGIC), st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, magic: bytes, data: bytes) -> None:
        with contextlib.suppress(LabError):
            assert prepare_picture(magic + data).figures[0].pixels.shape == (28, 28)

    @hypothesis_settings(deadline=None, derandomize=True)
    @given(
        st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"]),
        st.integers(0, 2_000),
        st.integers(0, 255),
        st.floats(0, 1),
    )
    def test_any_damage_is_read_or_refused(
        self, file_format: str, position: int, value: int, kept: float
    ) -> None:
        data = bytearray(encode_digit(file_format))
        data[position % len(data)] = value
        with contextlib.suppress(LabError):
            assert prepare_picture(bytes(data[: round(len(data) * kept)])).figures[0].pixels.shape == (28, 28)


class TestPixels:
    @pytest.mark.parametrize(
        "values",
        [
            None,
            "seven",
            7,
            [],
            {},
            [[0.0] * 28] * 27,
            [[0.0] * 27] * 28,
            [[0.0] * 28] * 27 + [[0.0] * 27],
            [[[0.0] * 28] * 27],
            [["ink"] * 28] * 28,
            [[{}] * 28] * 28,
            b"\0" * 784,
        ],
    )
    def test_other_shapes_and_types(self, values: Any) -> None:
        with pytest.raises(InvalidImageError, match="28 lists of 28 numbers each, 0–255 or 0–1"):
            prepare_pixels(values)

    @pytest.mark.parametrize(
        "value", [float("nan"), float("inf"), -float("inf"), -1, -0.01, 255.5, 256, 1e30]
    )
    def test_values_that_are_no_grey(self, value: float) -> None:
        values = [[0.0] * 28 for _ in range(28)]
        values[14][14] = value
        with pytest.raises(InvalidImageError, match="not a number from 0 to 255"):
            prepare_pixels(values)

    @pytest.mark.parametrize("level", [0, 0.5, 1, 255])
    def test_blank_paper(self, level: float) -> None:
        with pytest.raises(InvalidImageError, match="The picture is blank"):
            prepare_pixels([[level] * 28] * 28)

    @hypothesis_settings(deadline=None, derandomize=True)
    @given(
        st.recursive(st.none() | st.floats() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=4))
    )
    @example([[0.0] * 28] * 28)
    def test_any_json_is_refused(self, values: Any) -> None:
        with pytest.raises(InvalidImageError):
            prepare_pixels(values)


def test_files_damaged_at_random_are_read_or_refused() -> None:
    damaged = damage(make_files(), np.random.default_rng(1))
    for _ in range(1_500):
        with contextlib.suppress(LabError):
            prepare_picture(next(damaged))


def test_animation_may_break_off_anywhere() -> None:
    picture = Image.open(io.BytesIO(encode_digit("GIF")))
    file = io.BytesIO()
    picture.save(file, "GIF", save_all=True, append_images=[picture.rotate(90)])
    for length in range(len(file.getvalue())):
        with contextlib.suppress(LabError):
            prepare_picture(file.getvalue()[:length])


def test_colour_mode_that_cannot_be_converted_is_refused() -> None:
    gray = Image.new("L", (40, 40))
    buffer = io.BytesIO()
    Image.merge("LAB", [gray] * 3).save(buffer, "TIFF")
    with pytest.raises(InvalidImageError, match="LAB"):
        prepare_picture(buffer.getvalue())


@pytest.mark.parametrize("value", [10**400, "1", True, None])
def test_pixels_that_are_no_numbers_of_an_image_are_refused(value: object) -> None:
    with pytest.raises(InvalidImageError, match="28 lists of 28 numbers"):
        prepare_pixels([[value] * 28] * 28)
