"""Confusion matrices: the counts of right answers quiet, the mistakes coloured by how frequent they are."""

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.drawing.canvas import FAINT_INK, INK, QUIET_INK, clean_text, draw_notice, write_heading
from service.drawing.palette import pick_text_color

CountMatrix = NDArray[np.int64]

MOST_COLUMNS, MOST_MATRICES = 4, 24
SMALL, LARGE = 4.2, 6.6
LEAST_WIDTH, HEADER, FOOTER, MARGIN = 7.6, 0.85, 0.2, 0.3
"""Inches, as are all lengths here."""

MOST_UPRIGHT_LETTERS = 3
RIGHT_COLOR, NEVER_COLOR = "#E8ECF0", "#FFFFFF"
MISTAKE_COLORS = colormaps["YlOrRd"]


def draw_confusions(matrices: Mapping[str, CountMatrix], *, class_names: Sequence[str], title: str) -> Figure:
    """A panel for each label's matrix of counts, rows true classes and columns predicted ones.

    The colors of mistakes are logarithmic and the same in all panels, so that panels compare.
    """
    if not matrices:
        return draw_notice(title, message="No run has completed yet.")
    shown = dict(list(matrices.items())[:MOST_MATRICES])
    most = max(int((matrix - np.diag(np.diag(matrix))).max()) for matrix in shown.values())
    names = [clean_text(name, max_length=12) for name in class_names]
    figure, panels = _start_panels(len(shown), longest=max(map(len, names)))
    for panel, (label, matrix) in zip(panels, shown.items(), strict=True):
        _draw_matrix(panel, matrix, most=most, font_size=10.5 if len(shown) == 1 else 7.5)
        wrong, total = int(matrix.sum() - np.trace(matrix)), int(matrix.sum())
        words = f"{wrong:,} of {total:,} wrong"
        heading = words if len(shown) == 1 else f"{clean_text(label, max_length=28)}: {words}"
        _label_axes(panel, names, heading=heading)
    hidden = f"; the first {len(shown)} of {len(matrices)}" if len(matrices) > len(shown) else ""
    words = f"Rows: true class; columns: answer. Mistakes coloured, darker more frequent (log scale){hidden}."
    write_heading(figure, title, words, left=MARGIN)
    return figure


def _start_panels(number: int, *, longest: int) -> tuple[Figure, list[Axes]]:
    """Square panels in rows, with room for class names left of and above each."""
    columns = min(MOST_COLUMNS, ceil(number**0.5))
    size = LARGE if number == 1 else SMALL
    left = 0.35 + 0.085 * longest
    above = left + 0.25 if longest > MOST_UPRIGHT_LETTERS else 0.75
    width = max(MARGIN + columns * (left + size) + MARGIN, LEAST_WIDTH)
    height = HEADER + ceil(number / columns) * (above + size) + FOOTER
    figure = Figure(figsize=(width, height))
    panels = []
    for place in range(number):
        row, column = divmod(place, columns)
        x = MARGIN / 2 + left + column * (left + size)
        y = height - HEADER - (row + 1) * (above + size)
        panels.append(figure.add_axes((x / width, y / height, size / width, size / height)))
    return figure, panels


def _draw_matrix(panel: Axes, matrix: CountMatrix, *, most: int, font_size: float) -> None:
    shades = MISTAKE_COLORS(LogNorm(vmin=0.5, vmax=max(most, 4))(np.maximum(matrix, 1)))
    colors = [[to_hex(shade) for shade in row] for row in shades]
    for true, guess in np.ndindex(*matrix.shape):
        if true == guess or not matrix[true, guess]:
            colors[true][guess] = RIGHT_COLOR if true == guess else NEVER_COLOR
    pixels = [[[int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in row] for row in colors]
    panel.imshow(np.array(pixels, dtype=np.uint8), interpolation="nearest")
    for true, guess in zip(*matrix.nonzero(), strict=True):
        ink = QUIET_INK if true == guess else pick_text_color(colors[true][guess])
        count = f"{matrix[true, guess]}"
        panel.text(guess, true, count, ha="center", va="center", fontsize=font_size, color=ink)


def _label_axes(panel: Axes, names: Sequence[str], *, heading: str) -> None:
    places = range(len(names))
    is_upright = max(map(len, names)) <= MOST_UPRIGHT_LETTERS
    panel.xaxis.tick_top()
    panel.set_xticks(places, names, fontsize=9)
    if not is_upright:
        for name in panel.get_xticklabels():
            name.set(rotation=45, ha="left", rotation_mode="anchor")
    panel.set_yticks(places, names, fontsize=9)
    panel.tick_params(length=0)
    edges = np.arange(-0.5, len(names))
    panel.hlines(edges, edges[0], edges[-1], color=FAINT_INK, linewidth=0.6, clip_on=False)
    panel.vlines(edges, edges[0], edges[-1], color=FAINT_INK, linewidth=0.6, clip_on=False)
    panel.spines[:].set_visible(False)
    panel.set_title(heading, loc="left", fontsize=10, color=INK, pad=8)
