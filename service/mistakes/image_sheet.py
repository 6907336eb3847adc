"""Sheet of misclassified images across runs: each image once, with its wrong predictions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.drawing.canvas import QUIET_INK, clean_text, draw_image, draw_notice, start_canvas, write
from service.drawing.palette import NORMALIZATION_COLORS, OTHER_COLOR
from service.mistakes.run_sheet import format_confidence

MOST_TILES = 30
COLUMNS = 3
MOST_ANSWERS = 3

MARGIN, HEADER, PICTURE, TILE_WIDTH, TILE_HEIGHT = 0.45, 1.05, 1.1, 4.5, 1.52
"""Inches, as are all lengths here."""

MOST_LETTERS = 46
"""Of a line beside a picture."""


@dataclass(frozen=True, kw_only=True)
class WrongAnswer:
    """A wrongly predicted class, with the label and normalization of each run that predicts it.

    ``confidence`` is the highest probability that one of them gave the class.
    """

    predicted: str
    labels: tuple[str, ...]
    normalizations: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, kw_only=True)
class MissedImage:
    """One test image, (28, 28) uint8, that some of ``num_runs`` runs misclassify."""

    index: int
    image: NDArray[np.uint8]
    true: str
    num_runs: int
    answers: tuple[WrongAnswer, ...]

    @property
    def num_missed(self) -> int:
        """The number of runs that misclassify the image."""
        return sum(len(answer.labels) for answer in self.answers)


def draw_shared_mistakes(
    images: Sequence[MissedImage], *, title: str, num_total: int, num_columns: int = COLUMNS
) -> Figure:
    """Draw the first ``MOST_TILES`` images in the order given; ``num_total`` is their total number."""
    if not images:
        return draw_notice(title, message="No run misclassifies such an image.")
    shown = images[:MOST_TILES]
    columns = min(num_columns, max(len(shown), 2))
    height = HEADER + ceil(len(shown) / columns) * TILE_HEIGHT
    figure, canvas = start_canvas(2 * MARGIN + columns * TILE_WIDTH, height)
    max_length = int(figure.get_figwidth() * 8)
    write(canvas, (MARGIN, 0.38), clean_text(title, max_length=max_length), size=15)
    words = f"{_describe_number(len(shown), num_total)}. Beside each: predicted class, confidence, and runs."
    write(canvas, (MARGIN, 0.72), words, size=9.5, color=QUIET_INK)
    for place, missed in enumerate(shown):
        row, column = divmod(place, columns)
        _draw_tile(canvas, missed, left=MARGIN + column * TILE_WIDTH, top=HEADER + row * TILE_HEIGHT)
    return figure


def _draw_tile(canvas: Axes, missed: MissedImage, *, left: float, top: float) -> None:
    draw_image(canvas, missed.image, left=left, top=top, size=PICTURE)
    beside, runs = left + PICTURE + 0.14, f"{missed.num_missed} of {missed.num_runs} runs"
    head = f"{clean_text(missed.true, max_length=13)}: wrong in {runs}"
    write(canvas, (beside, top + 0.08), head, size=9.5)
    write(canvas, (left, top + PICTURE + 0.1), f"#{missed.index}", size=7, color=QUIET_INK)
    for line, answer in enumerate(missed.answers[:MOST_ANSWERS]):
        _draw_answer(canvas, answer, left=beside, top=top + 0.31 + 0.32 * line)
    if len(missed.answers) > MOST_ANSWERS:
        rest = ", ".join(answer.predicted for answer in missed.answers[MOST_ANSWERS:])
        words = clean_text(f"also predicted: {rest}", max_length=MOST_LETTERS)
        write(canvas, (beside, top + 1.27), words, size=7.5, color=QUIET_INK)


def _draw_answer(canvas: Axes, answer: WrongAnswer, *, left: float, top: float) -> None:
    """Draw the class and its confidence, a dot per normalization, and the runs below."""
    share = format_confidence(answer.confidence)
    sure = share if len(answer.labels) == 1 else f"up to {share}"
    name = f"→ {clean_text(answer.predicted, max_length=13)}"
    write(canvas, (left, top), name, size=9.5)
    start = left + 0.3 + 0.085 * len(name)
    write(canvas, (start, top), sure, size=8, color=QUIET_INK)
    for place, normalization in enumerate(sorted(set(answer.normalizations))):
        dot = left + 0.04 + 0.12 * place
        color = NORMALIZATION_COLORS.get(normalization, OTHER_COLOR)
        canvas.plot(dot, top + 0.155, "o", markersize=5, color=color, markeredgewidth=0)
    words = _name_runs(answer)
    write(canvas, (left + 0.1 + 0.12 * len(set(answer.normalizations)), top + 0.155), words, size=7)


def _name_runs(answer: WrongAnswer) -> str:
    """Each configuration with its number of runs if more than one; shorter where that is too long."""
    for names in (answer.labels, answer.normalizations):
        counts = Counter(names)
        words = ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in counts.most_common())
        if len(words) <= MOST_LETTERS:
            return clean_text(words, max_length=MOST_LETTERS)
    words = f"{len(answer.labels)} runs: {', '.join(sorted(set(answer.normalizations)))}"
    return clean_text(words, max_length=MOST_LETTERS)


def _describe_number(num_shown: int, num_total: int) -> str:
    if num_total == 1:
        return "The only misclassified image"
    if num_shown < num_total:
        return f"{num_shown} of {num_total} misclassified images, those wrong in most runs first"
    return f"All {num_total} misclassified images, those wrong in most runs first"
