"""The base of every figure: a bare page, its inks, and text that is safe to draw."""

import unicodedata
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

INK = "#1F2328"
QUIET_INK = "#5B636B"
FAINT_INK = "#D5D9DE"

ROMAN = str.maketrans(
    {
        "お": "o",
        "き": "ki",
        "す": "su",
        "つ": "tsu",
        "な": "na",
        "は": "ha",
        "ま": "ma",
        "や": "ya",
        "れ": "re",
        "を": "wo",
    }
)
"""Kuzushiji-MNIST's classes in Latin letters: matplotlib's own font has no others."""


def start_canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A white figure and one bare axes over all of it, in inches from the top left corner."""
    figure = Figure(figsize=(width, height))
    canvas = figure.add_axes((0, 0, 1, 1))
    canvas.set_xlim(0, width)
    canvas.set_ylim(height, 0)
    canvas.set_axis_off()
    return figure, canvas


def write(canvas: Axes, place: tuple[float, float], words: str, *, size: float, **look: Any) -> None:
    """Write words whose left end, at half their height, is at ``place``."""
    canvas.text(*place, words, va="center", fontsize=size, **{"color": INK, **look})


def draw_image(canvas: Axes, image: NDArray[np.uint8], *, left: float, top: float, size: float) -> None:
    """Draw a (28, 28) test image as a square of ``size``; 255 is white."""
    # The canvas counts downwards, so that the lower edge is the larger number.
    extent = (left, left + size, top + size, top)
    canvas.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="nearest", aspect="auto")


def write_heading(figure: Figure, title: str, words: str, *, left: float = 0.3) -> None:
    """Title and subtitle at the top left corner, cut where the figure ends; ``left`` is in inches."""
    width, height = figure.get_size_inches()
    title = clean_text(title, max_length=int((width - left) * 7.8))
    figure.text(left / width, 1 - 0.33 / height, title, fontsize=15, va="center", color=INK)
    figure.text(left / width, 1 - 0.64 / height, words, fontsize=9.5, va="center", color=QUIET_INK)


def draw_notice(title: str, *, message: str) -> Figure:
    """Draw the title and a sentence that says why there is nothing else to draw."""
    figure, canvas = start_canvas(8, 3)
    canvas.text(4, 1.15, clean_text(title, max_length=70), ha="center", va="center", fontsize=15, color=INK)
    canvas.text(
        4, 1.75, clean_text(message, max_length=100), ha="center", va="center", fontsize=11, color=QUIET_INK
    )
    return figure


def clean_text(text: str, *, max_length: int) -> str:
    """The text on one line, cut with an ellipsis, and with no character that matplotlib reads as markup
    or cannot draw."""
    printable = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in text)
    line = " ".join(printable.split()).translate(ROMAN)
    if len(line) > max_length:
        line = line[: max_length - 1].rstrip() + "…"
    # A dollar sign would start a formula.
    return line.replace("$", r"\$")
