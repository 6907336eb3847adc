"""Sheets of the images that a run misclassifies, each with its true and predicted class."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.drawing.canvas import FAINT_INK, INK, QUIET_INK, clean_text, draw_notice, start_canvas

MOST_TILES = 40
COLUMNS = 8
TILES_PER_RUN = 10
MOST_RUNS = 24

MARGIN, HEADER, PICTURE, SPACING = 0.45, 1.05, 1.1, 0.24
"""Inches, as are all lengths here."""

LONGEST_SHORT_NAME = 3
"""Characters; longer names of classes take a line each."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One misclassified test image; ``image`` is (28, 28) uint8, 255 the ink of a digit.

    ``true`` and ``predicted`` are names of classes, ``confidence`` the probability of the predicted one.
    """

    index: int
    image: NDArray[np.uint8]
    true: str
    predicted: str
    confidence: float
    run_label: str


@dataclass(frozen=True)
class _Caption:
    """The caption under each tile of one sheet."""

    has_long_names: bool
    names_run: bool

    @property
    def tile_height(self) -> float:
        """The distance from the top of one tile to the top of the tile below."""
        return PICTURE + 0.68 + 0.16 * self.has_long_names + 0.15 * self.names_run


def draw_misclassified(mistakes: Sequence[Mistake], *, title: str, num_total: int) -> Figure:
    """Draw the first ``MOST_TILES`` images in the order given, most confident first.

    ``num_total`` is how many there are in all. Mistakes of several runs carry the name of theirs.
    """
    if not mistakes:
        return draw_notice(title, message=_describe_number(0, num_total))
    shown = mistakes[:MOST_TILES]
    caption = _choose_caption(shown)
    width = 2 * MARGIN + COLUMNS * (PICTURE + SPACING) - SPACING
    figure, canvas = start_canvas(width, HEADER + ceil(len(shown) / COLUMNS) * caption.tile_height + 0.1)
    _write_heading(canvas, title, f"{_describe_number(len(shown), num_total)}, most confident first")
    for start in range(0, len(shown), COLUMNS):
        top = HEADER + start // COLUMNS * caption.tile_height
        _draw_tiles(canvas, shown[start : start + COLUMNS], top=top, caption=caption)
    return figure


def draw_misclassified_by_run(groups: Sequence[tuple[str, Sequence[Mistake], int]], *, title: str) -> Figure:
    """Draw a strip of tiles for each run, given as its name, its tiles in order, and their total number."""
    if not groups:
        return draw_notice(title, message="No run has finished yet.")
    shown = [
        (label, mistakes[:TILES_PER_RUN], num_total) for label, mistakes, num_total in groups[:MOST_RUNS]
    ]
    caption = _choose_caption([mistake for _, mistakes, _ in shown for mistake in mistakes], names_run=False)
    heights = [0.5 + caption.tile_height * bool(mistakes) for _, mistakes, _ in shown]
    width = 2 * MARGIN + TILES_PER_RUN * (PICTURE + SPACING) - SPACING
    figure, canvas = start_canvas(width, HEADER + sum(heights) + 0.1)
    runs = f"showing {len(shown)} of {len(groups)} runs; " if len(groups) > len(shown) else ""
    _write_heading(canvas, title, f"{runs}the most confident mistakes of each run first")
    top = HEADER
    for (label, mistakes, num_total), height in zip(shown, heights, strict=True):
        canvas.plot([MARGIN, width - MARGIN], [top, top], color=FAINT_INK, linewidth=1)
        _write(canvas, (MARGIN, top + 0.25), clean_text(label, max_length=70), size=12)
        words = _describe_number(len(mistakes), num_total)
        _write(canvas, (width - MARGIN, top + 0.25), words, size=9.5, ha="right", color=QUIET_INK)
        _draw_tiles(canvas, mistakes, top=top + 0.48, caption=caption)
        top += height
    return figure


def _draw_tiles(canvas: Axes, mistakes: Sequence[Mistake], *, top: float, caption: _Caption) -> None:
    """One row of tiles from the left margin on."""
    for column, mistake in enumerate(mistakes):
        left = MARGIN + column * (PICTURE + SPACING)
        canvas.imshow(
            mistake.image,
            cmap="gray",
            vmin=0,
            vmax=255,
            # The canvas counts downwards, so that the picture's lower edge is the larger number.
            extent=(left, left + PICTURE, top + PICTURE, top),
            interpolation="nearest",
            aspect="auto",
        )
        _write_caption(canvas, mistake, (left, top + PICTURE), caption)


def _write_caption(canvas: Axes, mistake: Mistake, corner: tuple[float, float], caption: _Caption) -> None:
    left, height = corner
    true, predicted = (clean_text(name, max_length=13) for name in (mistake.true, mistake.predicted))
    if caption.has_long_names:
        _write(canvas, (left, height + 0.21), f"{true} →\n{predicted}", size=9)
        height += 0.16
    else:
        _write(canvas, (left + PICTURE / 2, height + 0.17), f"{true} → {predicted}", size=12, ha="center")
    height += 0.36
    _write(canvas, (left, height), format_confidence(mistake.confidence), size=8, color=QUIET_INK)
    number = f"#{mistake.index}"
    _write(canvas, (left + PICTURE, height), number, size=7, ha="right", color=QUIET_INK)
    if caption.names_run:
        label = clean_text(mistake.run_label, max_length=20)
        _write(canvas, (left, height + 0.15), label, size=7, color=QUIET_INK)


def _write_heading(canvas: Axes, title: str, words: str) -> None:
    _write(canvas, (MARGIN, 0.38), clean_text(title, max_length=80), size=15)
    _write(
        canvas,
        (MARGIN, 0.72),
        f"true → predicted, confidence, index in the test set; {words}",
        size=9.5,
        color=QUIET_INK,
    )


def _write(canvas: Axes, place: tuple[float, float], words: str, *, size: float, **look: Any) -> None:
    canvas.text(*place, words, va="center", fontsize=size, **{"color": INK, **look})


def _choose_caption(mistakes: Sequence[Mistake], *, names_run: bool = True) -> _Caption:
    longest = max(
        (len(name) for mistake in mistakes for name in (mistake.true, mistake.predicted)), default=0
    )
    has_several_runs = len({mistake.run_label for mistake in mistakes}) > 1
    return _Caption(longest > LONGEST_SHORT_NAME, names_run and has_several_runs)


def _describe_number(num_shown: int, num_total: int) -> str:
    if num_total == 0:
        return "No mistakes: every test image was read correctly."
    if num_shown < num_total:
        return f"showing {num_shown} of {num_total} mistakes"
    return f"all {num_total} mistakes" if num_total > 1 else "the only mistake"


def format_confidence(confidence: float) -> str:
    """In %, and never 100.0 by rounding alone."""
    return ">99.9 %" if 0.9995 <= confidence < 1 else f"{confidence * 100:.1f} %"
