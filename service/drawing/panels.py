"""Panels by epoch: their layout, and scales that show the differences that matter."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from service.drawing.canvas import FAINT_INK, INK, QUIET_INK

FloatArray = NDArray[np.float64]

FAR_BELOW, EPOCHS_TO_JUDGE = 10.0, 4
"""Points of accuracy below the typical line at which a line is left below the axis, and from which epoch."""

COMPACT_WIDTH, COMPACT_HEIGHT = 5.8, 3.1
"""Inches, of the figure and of its panel."""

DENSE_HEIGHT = 2.4
"""Inches, of each of many panels."""

LEAST_ACCURACY_SPAN = 0.5
"""Points; less would make noise look like a difference."""

LOSS_CEILING = 10.0
"""Nats; guessing among ten classes costs 2.3."""


def start_panels(
    title: str,
    *,
    shape: tuple[int, int],
    legend: Sequence[Line2D],
    notes: str,
    is_compact: bool = False,
    is_dense: bool = False,
) -> tuple[Figure, list[list[Axes]]]:
    """Title, panels by epoch in rows and columns, legend and notes; one panel is large, more are smaller.

    All but the panels take the inches that their text needs, so that nothing overlaps. A compact figure, of
    one panel, is small enough to stand beside another on a page. Dense panels are low, and nearer to each
    other.
    """
    width, panel_height, gap = (10.0, 5.0, 0.0) if shape == (1, 1) else (13.0, 3.5, 0.75)
    if is_compact:
        width, panel_height = COMPACT_WIDTH, COMPACT_HEIGHT
    if is_dense:
        panel_height, gap = DENSE_HEIGHT, 0.3
    widest = 0.07 * max(len(str(handle.get_label())) for handle in legend) + 0.8
    rows = ceil(len(legend) / max(1, min(5, int((width - 1) / widest))))
    header, footer = (0.75 if shape == (1, 1) else 0.95), 0.75 + 0.19 * rows + (0.25 if notes else 0)
    height = header + shape[0] * (panel_height + gap) - gap + footer
    figure, left = Figure(figsize=(width, height)), 0.85 / width
    grid = figure.add_gridspec(
        *shape,
        left=left,
        right=1 - 0.25 / width,
        top=1 - header / height,
        bottom=footer / height,
        hspace=gap / panel_height,
        wspace=0.15,
    )
    size = 12 if is_compact else 15
    figure.suptitle(title, x=left, y=1 - 0.32 / height, ha="left", va="center", fontsize=size, color=INK)
    figure.text(left, 0.12 / height, notes, fontsize=8.5, color=QUIET_INK)
    figure.legend(
        handles=legend,
        loc="lower left",
        bbox_to_anchor=(left, (0.33 if notes else 0.1) / height),
        ncols=ceil(len(legend) / rows),
        fontsize=9,
        handlelength=3.6,
        frameon=False,
        borderaxespad=0,
        borderpad=0,
    )
    return figure, [[figure.add_subplot(grid[i, j]) for j in range(shape[1])] for i in range(shape[0])]


def limit_accuracy(axes: Sequence[Axes], lines: Sequence[FloatArray]) -> None:
    """Limit the axes, in %, to show the later epochs at full height, not the climb of the first ones.

    Only the first two fifths of a line may fall below, or, from ``EPOCHS_TO_JUDGE`` on, a line that stays
    ``FAR_BELOW`` the others.
    """
    tails = [line[2 * len(line) // 5 :] for line in lines]
    tails = [tail[np.isfinite(tail)] for tail in tails if np.isfinite(tail).any()]
    if not tails:
        return
    is_early = max(len(line) for line in lines) < EPOCHS_TO_JUDGE
    floor = -np.inf if is_early else np.median([tail.min() for tail in tails]) - FAR_BELOW
    low = min(tail.min() for tail in tails if tail.max() >= floor)
    high = max(tail.max() for tail in tails)
    lowest = min(np.nanmin(line) for line in lines if np.isfinite(line).any())
    if high - lowest < 1.5 * (high - low):
        low = lowest
    span = max(high - low, LEAST_ACCURACY_SPAN)
    for panel in axes:
        panel.set_ylim(max(low - 0.06 * span, -1), min(high + 0.06 * span, 100 + 0.03 * span))
        panel.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))


def limit_loss(axes: Sequence[Axes], lines: Sequence[FloatArray]) -> None:
    """Limit the axes, in nats; logarithmic if the losses span more than a decade.

    A loss that blew up may fall above, so that it does not flatten the others.
    """
    values = np.concatenate([line[np.isfinite(line) & (line > 0)] for line in lines])
    if not values.size:
        return
    low = float(values.min())
    high = min(float(values.max()), max(LOSS_CEILING, 3 * float(np.median(values))))
    if is_log := high > 10 * low:
        limits = low / 1.2, high * 1.2
    else:
        pad = 0.06 * (high - low) or 0.1 * high
        limits = max(low - pad, 0.0), high + pad
    for panel in axes:
        if is_log:
            panel.set_yscale("log", nonpositive="mask")
            subs = (1, 2, 5) if high < 1000 * low else (1,)
            panel.yaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            panel.yaxis.set_minor_formatter(NullFormatter())
            panel.set_ylabel(f"{panel.get_ylabel()}, log scale")
        panel.set_ylim(limits)


def limit_epochs(axes: Axes, num_epochs: int) -> None:
    """Show the epochs 1 to ``num_epochs``, with whole numbers as ticks, over a faint grid."""
    step = next(step for step in (1, 5, 10, 25, 50, 100, num_epochs) if num_epochs <= 13 * step)
    axes.xaxis.set_major_locator(FixedLocator(sorted({1, *range(step, num_epochs + 1, step)})))
    axes.set_xlabel("Epoch")
    axes.grid(color=FAINT_INK, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    margin = max(0.025 * (num_epochs - 1), 0.15) if num_epochs > 1 else 0.6
    axes.set_xlim(1 - margin, num_epochs + margin)
