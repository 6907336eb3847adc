"""Sheets of the images that a run misclassifies, each with its true and predicted class."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.drawing.canvas import (
    FAINT_INK,
    QUIET_INK,
    clean_text,
    draw_image,
    draw_notice,
    start_canvas,
    write,
)

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


@dataclass(frozen=True, kw_only=True)
class RunMistakes:
    """Everything that one run misclassifies, most confident first."""

    run_name: str
    mistakes: Sequence[Mistake]


def draw_misclassified(mistakes: Sequence[Mistake], *, title: str) -> Figure:
    """Draw the first ``MOST_TILES`` of a run's mistakes, given most confident first."""
    if not mistakes:
        return draw_notice(title, message=_describe_number(0, 0))
    shown = mistakes[:MOST_TILES]
    tile_height = _measure_tile(shown)
    width = 2 * MARGIN + COLUMNS * (PICTURE + SPACING) - SPACING
    figure, canvas = start_canvas(width, HEADER + ceil(len(shown) / COLUMNS) * tile_height + 0.1)
    _write_heading(canvas, title, f"{_describe_number(len(shown), len(mistakes))}, most confident first")
    for start in range(0, len(shown), COLUMNS):
        top = HEADER + start // COLUMNS * tile_height
        _draw_tiles(canvas, shown[start : start + COLUMNS], top=top, has_long_names=_has_long_names(shown))
    return figure


def draw_misclassified_by_run(runs: Sequence[RunMistakes], *, title: str) -> Figure:
    """Draw a strip of tiles for each of the first ``MOST_RUNS`` runs."""
    if not runs:
        return draw_notice(title, message="No run has finished yet.")
    shown = runs[:MOST_RUNS]
    strips = [run.mistakes[:TILES_PER_RUN] for run in shown]
    tiles = [mistake for strip in strips for mistake in strip]
    heights = [0.5 + _measure_tile(tiles) * bool(strip) for strip in strips]
    width = 2 * MARGIN + TILES_PER_RUN * (PICTURE + SPACING) - SPACING
    figure, canvas = start_canvas(width, HEADER + sum(heights) + 0.1)
    cut = f"showing {len(shown)} of {len(runs)} runs; " if len(runs) > len(shown) else ""
    _write_heading(canvas, title, f"{cut}the most confident mistakes of each run first")
    top = HEADER
    for run, strip, height in zip(shown, strips, heights, strict=True):
        canvas.plot([MARGIN, width - MARGIN], [top, top], color=FAINT_INK, linewidth=1)
        write(canvas, (MARGIN, top + 0.25), clean_text(run.run_name, max_length=70), size=12)
        words = _describe_number(len(strip), len(run.mistakes))
        write(canvas, (width - MARGIN, top + 0.25), words, size=9.5, ha="right", color=QUIET_INK)
        _draw_tiles(canvas, strip, top=top + 0.48, has_long_names=_has_long_names(tiles))
        top += height
    return figure


def _measure_tile(tiles: Sequence[Mistake]) -> float:
    """The distance from the top of one tile to the top of the tile below."""
    return PICTURE + 0.68 + 0.16 * _has_long_names(tiles)


def _has_long_names(tiles: Sequence[Mistake]) -> bool:
    return any(len(name) > LONGEST_SHORT_NAME for tile in tiles for name in (tile.true, tile.predicted))


def _draw_tiles(canvas: Axes, mistakes: Sequence[Mistake], *, top: float, has_long_names: bool) -> None:
    """One row of tiles from the left margin on."""
    for column, mistake in enumerate(mistakes):
        left, height = MARGIN + column * (PICTURE + SPACING), top + PICTURE
        draw_image(canvas, mistake.image, left=left, top=top, size=PICTURE)
        true, predicted = (clean_text(name, max_length=13) for name in (mistake.true, mistake.predicted))
        if has_long_names:
            write(canvas, (left, height + 0.21), f"{true} →\n{predicted}", size=9)
            height += 0.16
        else:
            write(canvas, (left + PICTURE / 2, height + 0.17), f"{true} → {predicted}", size=12, ha="center")
        height += 0.36
        write(canvas, (left, height), format_confidence(mistake.confidence), size=8, color=QUIET_INK)
        number = f"#{mistake.index}"
        write(canvas, (left + PICTURE, height), number, size=7, ha="right", color=QUIET_INK)


def _write_heading(canvas: Axes, title: str, words: str) -> None:
    write(canvas, (MARGIN, 0.38), clean_text(title, max_length=80), size=15)
    words = f"true → predicted, confidence, index in the test set; {words}"
    write(canvas, (MARGIN, 0.72), words, size=9.5, color=QUIET_INK)


def _describe_number(num_shown: int, num_total: int) -> str:
    if num_total == 0:
        return "No mistakes: every test image is classified correctly."
    if num_shown < num_total:
        return f"showing {num_shown} of {num_total} mistakes"
    return f"all {num_total} mistakes" if num_total > 1 else "the only mistake"


def format_confidence(confidence: float) -> str:
    """In %, and never 100.0 by rounding alone."""
    return ">99.9 %" if 0.9995 <= confidence < 1 else f"{confidence * 100:.1f} %"
