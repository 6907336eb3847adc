"""Draw the appendix as one figure: the values that share a mean and a variance in each normalization."""

import math
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from lab.errors import InvalidTensorError
from service.appendix.colors import EDGES, FILLS, pick_colors
from service.appendix.explanation import DESCRIPTIONS, Description
from service.appendix.figure_panel import (
    FIGURES_SIZE,
    GAP,
    LABEL_SIZE,
    PAD,
    TITLE_HEIGHT,
    Panel,
    is_shortened,
    measure,
    plan_panel,
    write_cell,
)
from service.appendix.statistics import NORMALIZATIONS, Appendix, StatisticsSet
from service.drawing.canvas import start_canvas

MAX_DRAWN_VALUES = 1024
MAX_DRAWN_SIDE = 40

# Inches on one sheet whose y axis points down.
_MARGIN = 0.45
_PANEL_GAP = 0.55
_HEADER = 0.85
_FOOTER = 0.4
_LEAST_SHEET = 7.0
_INK, _FADED = "#1b1b1b", "#5f5f5f"


def draw_appendix(appendix: Appendix) -> Figure:
    """Draw the four normalizations side by side, the values of a set in one frame of one color.

    Raises:
        InvalidTensorError: more than 1,024 values or more than 40 cells across or down, too many to read.
    """
    _require_legible(appendix)
    panels = {name: plan_panel(appendix, name) for name in NORMALIZATIONS}
    columns = _choose_columns([panel.size for panel in panels.values()])
    sizes = [panel.size for panel in panels.values()]
    widths = [max(width for width, _ in sizes[column::columns]) for column in range(columns)]
    heights = [max(h for _, h in sizes[row * columns : (row + 1) * columns]) for row in range(4 // columns)]
    width = max(sum(widths) + (columns - 1) * _PANEL_GAP + 2 * _MARGIN, _LEAST_SHEET)
    height = sum(heights) + (len(heights) - 1) * _PANEL_GAP + _HEADER + _FOOTER + _MARGIN
    figure, axes = start_canvas(width, height)
    for index, (name, panel) in enumerate(panels.items()):
        row, column = divmod(index, columns)
        across = _MARGIN + sum(widths[:column]) + column * _PANEL_GAP
        down = _HEADER + sum(heights[:row]) + row * _PANEL_GAP
        _draw_panel(axes, replace(panel, origin=(across, down)), description=DESCRIPTIONS[name])
    _write_title_and_foot(axes, appendix, size=(width, height))
    return figure


def _require_legible(appendix: Appendix) -> None:
    images, channels, rows, columns = appendix.sample.shape
    count = images * channels * rows * columns
    if count > MAX_DRAWN_VALUES:
        raise InvalidTensorError(
            f"a figure of {count:,} values could not be read; at most {MAX_DRAWN_VALUES:,} are drawn, "
            "while json, markdown and html take more"
        )
    if channels * columns > MAX_DRAWN_SIDE or images * rows > MAX_DRAWN_SIDE:
        raise InvalidTensorError(
            f"a figure of {channels * columns} cells across (C·W) and {images * rows} down (N·H) could not "
            f"be read; at most {MAX_DRAWN_SIDE} each way are drawn, while json, markdown and html take more"
        )


def _choose_columns(sizes: list[tuple[float, float]]) -> int:
    """Choose two columns, unless one row or one column brings the sheet much closer to a square."""
    width, height = (max(side) for side in zip(*sizes, strict=True))
    aspect = math.log(width / height)
    return 2 if abs(aspect) < 1 else 1 if aspect > 0 else 4


def _draw_panel(axes: Axes, panel: Panel, *, description: Description) -> None:
    across, down = panel.origin
    axes.text(across, down + 0.12, description.name, fontsize=14, fontweight="bold", color=_INK, va="center")
    axes.text(across, down + 0.37, description.rule, fontsize=LABEL_SIZE, color=_FADED, va="center")
    for one, color, numbers in zip(panel.sets, pick_colors(panel.sets), panel.figures, strict=True):
        left, top, width, height = panel.frame(one)
        frame = FancyBboxPatch((left, top), width, height, boxstyle="round,pad=0,rounding_size=0.08")
        frame.set(facecolor=FILLS[color], edgecolor=EDGES[color], linewidth=1.4)
        axes.add_patch(frame)
        _draw_cells(axes, panel, one=one, edge=EDGES[color])
        if numbers:
            x, y = left + width / 2, top + height - (panel.strip + PAD) / 2
            text = axes.text(x, y, numbers, fontsize=FIGURES_SIZE, color=_INK, linespacing=1.35)
            text.set(ha="center", va="center")
    _label_grid(axes, panel)


def _draw_cells(axes: Axes, panel: Panel, *, one: StatisticsSet, edge: str) -> None:
    cell, sample = panel.cell, panel.sample
    for position in sample.positions(one.images, one.channels):
        image, channel, row, column = position
        x, y = panel.left(channel) + column * cell, panel.top(image) + row * cell
        box = Rectangle((x, y), cell, cell, facecolor="#ffffffb8", edgecolor=edge, linewidth=0.6)
        axes.add_patch(box)
        text = axes.text(x + cell / 2, y + cell / 2, write_cell(sample.pixel(position)), color=_INK)
        text.set(fontsize=panel.cell_size, ha="center", va="center_baseline")
        if position in sample.filled_in:
            text.set(color=_FADED, style="italic")


def _label_grid(axes: Axes, panel: Panel) -> None:
    across, down = panel.origin
    width, height = panel.shape[3] * panel.cell, panel.shape[2] * panel.cell
    names, y = panel.sample.channel_names, down + TITLE_HEIGHT - 0.17
    if max(map(measure, names)) * LABEL_SIZE / 72 > width + GAP:
        names = tuple(str(channel + 1) for channel in range(len(names)))
        axes.text(across, y, "channel", fontsize=LABEL_SIZE, color=_INK, va="center")
    for channel, name in enumerate(names):
        x = panel.left(channel) + width / 2
        axes.text(x, y, name, fontsize=LABEL_SIZE, color=_INK, ha="center", va="center")
    for image in range(panel.shape[0]):
        y = panel.top(image) + height / 2
        axes.text(across, y, f"image {image + 1}", fontsize=LABEL_SIZE, color=_INK, va="center")


def _write_title_and_foot(axes: Axes, appendix: Appendix, *, size: tuple[float, float]) -> None:
    axes.text(
        _MARGIN, 0.38, "Which values share a mean and a variance", fontsize=17, fontweight="bold", color=_INK
    )
    foot = "One frame = one set. μ: mean, σ²: population variance."
    if appendix.sample.filled_in:
        foot += " Grey italics: pixels the study does not print, filled in here."
    if any(is_shortened(appendix.sample.pixel(position)) for position in appendix.sample.all_positions()):
        foot += " Values are shown with three digits."
    axes.text(_MARGIN, size[1] - 0.3, foot, fontsize=LABEL_SIZE, color=_FADED, va="center")
