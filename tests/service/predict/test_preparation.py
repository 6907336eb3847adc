import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lab.datasets.load import load_dataset
from lab.errors import InvalidImageError
from service.predict.preparation import PreparedImage, prepare_picture, prepare_pixels

Pixels = NDArray[np.uint8]


def draw_seven(*, size: int = 140, paper: int = 255, ink: int = 0, width: int = 14) -> Image.Image:
    """A seven, away from the middle of its paper."""
    picture = Image.new("L", (size, size), paper)
    corners = [(0.2, 0.15), (0.6, 0.15), (0.35, 0.75)]
    line = [(round(x * size), round(y * size)) for x, y in corners]
    ImageDraw.Draw(picture).line(line, fill=ink, width=width, joint="curve")
    return picture


def encode(picture: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def prepare_one(data: bytes) -> PreparedImage:
    """The picture's only figure."""
    (figure,) = prepare_picture(data).figures
    return figure


def prepare(picture: Image.Image, file_format: str = "PNG", **options: object) -> Pixels:
    return prepare_one(encode(picture, file_format, **options)).pixels


def find_centre_of_mass(pixels: Pixels) -> NDArray[np.float64]:
    rows, columns = np.indices(pixels.shape)
    weights = pixels / pixels.sum()
    return np.array([(rows * weights).sum(), (columns * weights).sum()])


def differ(first: Pixels, second: Pixels) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def assert_is_framed_like_mnist(prepared: PreparedImage) -> None:
    pixels = prepared.pixels
    assert pixels.shape == (28, 28)
    assert pixels.dtype == np.uint8
    assert pixels[0, 0] == 0
    assert pixels.max() == 255
    rows, columns = np.nonzero(pixels)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
    assert np.abs(find_centre_of_mass(pixels) - 13.5).max() <= 0.6


class TestFormats:
    @pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP", "TIFF", "PPM"])
    def test_lossless_ones_give_the_same_pixels(self, file_format: str) -> None:
        prepared = prepare_one(encode(draw_seven(), file_format))
        assert_is_framed_like_mnist(prepared)
        assert differ(prepared.pixels, prepare(draw_seven())) == 0
        assert prepared.steps[0] == f"read {file_format} of 140×140"

    @pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
    def test_lossy_ones_give_nearly_the_same(self, file_format: str) -> None:
        pixels = prepare(draw_seven(), file_format, quality=90)
        assert np.abs(pixels.astype(int) - prepare(draw_seven())).mean() < 3

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK"])
    def test_colour_modes_give_the_same_pixels(self, mode: str) -> None:
        file_format = "TIFF" if mode == "CMYK" else "PNG"
        assert differ(prepare(draw_seven().convert(mode), file_format), prepare(draw_seven())) <= 3

    def test_sixteen_bits_a_pixel_give_what_eight_do(self) -> None:
        deep = Image.fromarray(np.asarray(draw_seven(size=700, width=60)).astype(np.uint16) * 257)
        assert deep.mode == "I;16"
        shallow = prepare(draw_seven(size=700, width=60))
        assert differ(prepare(deep, "PNG"), shallow) <= 1
        assert differ(prepare(deep, "TIFF"), shallow) <= 1

    def test_colour_ink_is_read(self) -> None:
        colour = Image.new("RGB", (140, 140), (250, 245, 220))
        colour.paste((20, 30, 160), mask=draw_seven(paper=0, ink=255))
        assert differ(prepare(colour), prepare(draw_seven())) <= 12


class TestInkAndPaper:
    def test_dark_on_light_and_light_on_dark_are_the_same_digit(self) -> None:
        dark = prepare_one(encode(draw_seven(paper=255, ink=0)))
        light = prepare_one(encode(draw_seven(paper=0, ink=255)))
        assert differ(dark.pixels, light.pixels) <= 2
        assert "inverted: dark ink on light paper" in dark.steps
        assert "inverted: dark ink on light paper" not in light.steps

    def test_faint_ink_is_stretched_and_warned_of(self) -> None:
        faint = prepare_picture(encode(draw_seven(paper=230, ink=170)))
        assert differ(faint.figures[0].pixels, prepare(draw_seven())) <= 12
        assert any("little contrast" in warning for warning in faint.warnings)
        assert not prepare_picture(encode(draw_seven())).warnings

    @pytest.mark.parametrize("ink", [0, 255])
    def test_ink_on_a_transparent_ground_is_the_digit(self, ink: int) -> None:
        alpha = draw_seven(paper=0, ink=255)
        picture = Image.new("RGBA", alpha.size, (ink, ink, ink, 0))
        picture.putalpha(alpha)
        assert differ(prepare(picture), prepare(draw_seven())) <= 2

    def test_transparent_colour_of_a_palette_is_paper(self) -> None:
        palette = draw_seven(paper=0, ink=255).point(lambda level: 1 if level > 127 else 0, "L").convert("P")
        palette.putpalette([90, 90, 90, 0, 0, 0])
        assert differ(prepare(palette, "GIF", transparency=0), prepare(draw_seven())) <= 2


class TestFraming:
    @pytest.mark.parametrize("size", [40, 140, 512, 1500])
    def test_digit_fits_twenty_pixels_and_is_centred_by_mass(self, size: int) -> None:
        prepared = prepare_one(encode(draw_seven(size=size, width=size // 10)))
        assert_is_framed_like_mnist(prepared)
        assert np.abs(prepared.pixels.astype(int) - prepare(draw_seven())).mean() < 10

    def test_place_on_the_paper_does_not_matter(self) -> None:
        moved = Image.new("L", (400, 300), 255)
        moved.paste(draw_seven(), (230, 10))
        assert differ(prepare(moved), prepare(draw_seven())) <= 2

    def test_exif_rotation_is_undone(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown turned by 90° clockwise
        turned = draw_seven().rotate(90, expand=True)
        assert differ(prepare(turned, "PNG", exif=exif), prepare(draw_seven())) == 0
        assert differ(prepare(turned, "PNG"), prepare(draw_seven())) > 100

    def test_thin_strokes_are_thickened_to_mnists(self) -> None:
        thin = prepare_one(encode(draw_seven(size=280, width=2)))
        thick = prepare_one(encode(draw_seven(size=280, width=30)))
        assert "thickened thin strokes" in thin.steps
        assert "thickened thin strokes" not in thick.steps
        # The stem crosses the middle rows once; a stroke of 2 pixels puts at least 1.5 into each.
        assert (thin.pixels[10:20].sum(axis=1) / 255 > 1.5).all()

    def test_bar_that_misses_one_pixel_of_width_is_framed(self) -> None:
        # 110×11: wanting one pixel exactly, it would ask the filter for a window of size one.
        picture = np.zeros((200, 200), dtype=np.uint8)
        picture[40:150, 90:101] = 255
        pixels = prepare(Image.fromarray(picture))
        assert np.flatnonzero(pixels.any(axis=1)).tolist() == list(range(4, 24))
        assert pixels.any(axis=0).sum() == 2


class TestAsItIs:
    def test_prepared_picture_passes_through_untouched(self) -> None:
        pixels = prepare(draw_seven())
        again = prepare_one(encode(Image.fromarray(pixels)))
        assert np.array_equal(again.pixels, pixels)
        assert again.steps[-1] == "used as it is: 28×28 and centred like the training images"

    def test_digit_in_a_corner_does_not(self) -> None:
        pixels = np.roll(prepare(draw_seven()), 6, axis=1)
        (again,) = prepare_pixels(pixels).figures
        assert not any(step.startswith("used as it is") for step in again.steps)
        assert np.abs(find_centre_of_mass(again.pixels) - 13.5).max() <= 0.6

    def test_mnists_own_digits_pass_through_untouched(self, mnist_dir: Path) -> None:
        images = load_dataset("mnist", data_dir=mnist_dir).test.images[:300].numpy()
        assert sum(np.array_equal(prepare_pixels(image).figures[0].pixels, image) for image in images) >= 297


class TestPixels:
    def test_zero_to_one_means_zero_to_255(self) -> None:
        pixels = prepare(draw_seven())
        assert np.array_equal(prepare_pixels(pixels.tolist()).figures[0].pixels, pixels)
        assert np.array_equal(prepare_pixels((pixels / 255).tolist()).figures[0].pixels, pixels)

    def test_dark_ink_on_light_paper_is_inverted(self) -> None:
        pixels = prepare(draw_seven())
        assert np.array_equal(prepare_pixels((255 - pixels).tolist()).figures[0].pixels, pixels)


def test_empty_frame_is_blank() -> None:
    with pytest.raises(InvalidImageError, match="The picture is blank"):
        prepare_pixels(np.pad(np.ones((26, 26)), 1).tolist())


def test_small_digit_stands_out_from_grainy_paper() -> None:
    generator = np.random.default_rng(0)
    photo = generator.normal(230, 2, (512, 512))
    photo[200:240, 250:253] = 20
    buffer = io.BytesIO()
    Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=95)
    pixels = prepare_one(buffer.getvalue()).pixels
    assert (pixels > 64).mean() < 0.15
