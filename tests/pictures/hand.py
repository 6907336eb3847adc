"""A hand that writes digits on sheets, a camera that photographs them, and the files that come of it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tests.pictures.papers import Field
from tests.pictures.strokes import DIGITS, LETTERS, Coverage, draw_glyph, enlarge


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A picture file and the digits on it, line by line; none where it shows something else."""

    data: bytes
    digits: list[int]


@dataclass(kw_only=True)
class Hand:
    """Gives the digits to draw: from strokes, or enlarged from ``images`` (N, 28, 28) with ``labels``."""

    generator: np.random.Generator
    images: NDArray[np.uint8] | None = None
    labels: Sequence[int] = ()
    digits: list[int] = field(default_factory=list)

    def write(self, height: int, *, pen: float | None = None) -> Coverage:
        """Draw a digit ``height`` pixels tall and note its value."""
        if self.images is not None:
            index = int(self.generator.integers(len(self.images)))
            self.digits.append(int(self.labels[index]))
            return enlarge(self.images[index], height=height)
        digit = str(self.generator.choice(DIGITS))
        self.digits.append(int(digit))
        width = pen or height * self.uniform(0.05, 0.12)
        return draw_glyph(digit, height=height, pen=width, generator=self.generator)

    def write_letter(self, height: int) -> Coverage:
        """Draw a letter that looks like no digit."""
        name = str(self.generator.choice(LETTERS))
        return draw_glyph(name, height=height, pen=height * self.uniform(0.06, 0.1), generator=self.generator)

    def uniform(self, low: float, high: float) -> float:
        """Draw a number between ``low`` and ``high``."""
        return float(self.generator.uniform(low, high))

    def finish(self, levels: Field, file_format: str = "PNG", **options: Any) -> Drawn:
        """Encode grey levels 0–1, (H, W) or (H, W, 3), with the digits written so far."""
        return Drawn(data=encode(to_bytes(levels), file_format, **options), digits=self.digits)


def to_bytes(levels: Field) -> NDArray[np.uint8]:
    """Grey levels 0–1 as 0–255."""
    return np.clip(np.round(levels * 255), 0, 255).astype(np.uint8)


def encode(pixels: NDArray[Any] | Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def place(ink: Coverage, size: tuple[int, int], hand: Hand, *, margin: float = 0.06) -> Coverage:
    """Put ``ink`` somewhere on an empty sheet, at least ``margin`` of its side from the border."""
    sheet = np.zeros(size)
    border = round(margin * max(size))
    room = min((side - 2 * border) / length for side, length in zip(size, ink.shape, strict=True))
    if room < 1:
        ink = ndimage.zoom(ink, room * 0.98, order=1)
    top = int(hand.generator.integers(border, size[0] - border - ink.shape[0] + 1))
    left = int(hand.generator.integers(border, size[1] - border - ink.shape[1] + 1))
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return sheet


def write_somewhere(
    hand: Hand, size: tuple[int, int], *, share: tuple[float, float] = (0.2, 0.85)
) -> Coverage:
    """A digit as tall as a ``share`` of the sheet, somewhere on it."""
    return place(hand.write(round(size[0] * hand.uniform(*share))), size, hand)


def photograph(hand: Hand, reflectance: Field, light: Field) -> Drawn:
    """Take a photo: light on paper, a soft lens, a tint, a noisy sensor, JPEG."""
    exposure, noise = hand.uniform(0.7, 1.0), hand.uniform(0.005, 0.035)
    seen = ndimage.gaussian_filter(reflectance, hand.uniform(0.4, 1.8)) * light * exposure
    tint = 1 - hand.generator.uniform(0, 0.12, 3)
    colour = seen[..., None] * tint + hand.generator.normal(0, noise, (*seen.shape, 3))
    return hand.finish(colour, "JPEG", quality=int(hand.generator.integers(35, 92)))


def ink_on_paper(hand: Hand, coverage: Coverage, paper: Field | float = 1.0) -> Field:
    """Reflectance of ``coverage`` on ``paper``: a pencil's to a marker's."""
    darkness = hand.uniform(0.45, 0.92)
    return paper * (1 - darkness * coverage)
