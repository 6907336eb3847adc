"""From a matplotlib figure to bytes, one figure at a time; and what figures start from: pages and scales."""

import io
import threading
import unicodedata
from collections.abc import Sequence
from math import ceil
from typing import Literal, get_args

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Limits = tuple[float, float]

ImageFormat = Literal["png", "svg", "pdf"]
IMAGE_FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
MEDIA_TYPES: dict[ImageFormat, str] = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
}
PNG_DPI = 144

INK = "#1F2328"
QUIET_INK = "#5B636B"
FAINT_INK = "#D5D9DE"

FAR_BELOW, EPOCHS_TO_JUDGE = 10.0, 4
"""Points of accuracy below the typical line at which a line is left below the axis, and from which epoch."""

LEAST_ACCURACY_SPAN = 0.5
"""Points; less would make noise look like a difference."""

LOSS_CEILING = 10.0
"""Nats; guessing among ten classes costs 2.3."""

# Neither the time of drawing nor random ids go into a file. PNG text chunks may not be None.
_METADATA: dict[ImageFormat, dict[str, None]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}
# matplotlib's font cache, mathtext parser and rcParams are shared and not thread-safe.
_drawing = threading.Lock()


def render(figure: Figure, *, image_format: ImageFormat) -> bytes:
    """Draw the figure; the same figure gives the same bytes, since no date is written into the file."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    # SVG text as paths looks the same where the font is missing; PDF text stays text that can be searched.
    with (
        _drawing,
        matplotlib.rc_context(
            {"svg.hashsalt": "normalization-lab", "svg.fonttype": "path", "pdf.fonttype": 42}
        ),
    ):
        figure.savefig(
            buffer, format=image_format, dpi=PNG_DPI, metadata=_METADATA[image_format], facecolor="white"
        )
    return buffer.getvalue()


def start_canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A white figure and one bare axes over all of it, in inches from the top left corner."""
    figure = Figure(figsize=(width, height))
    canvas = figure.add_axes((0, 0, 1, 1))
    canvas.set_xlim(0, width)
    canvas.set_ylim(height, 0)
    canvas.set_axis_off()
    return figure, canvas


def draw_notice(title: str, *, message: str) -> Figure:
    """A figure for when there is nothing to draw yet: the title, and a sentence that says why."""
    figure, canvas = start_canvas(8, 3)
    canvas.text(4, 1.15, clean_text(title, max_length=70), ha="center", va="center", fontsize=15, color=INK)
    canvas.text(
        4, 1.75, clean_text(message, max_length=100), ha="center", va="center", fontsize=11, color=QUIET_INK
    )
    return figure


def clean_text(text: str, *, max_length: int) -> str:
    """The text on one line, cut with an ellipsis, and with no character that matplotlib reads as markup."""
    printable = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in text)
    line = " ".join(printable.split())
    if len(line) > max_length:
        line = line[: max_length - 1].rstrip() + "…"
    # A dollar sign would start a formula.
    return line.replace("$", r"\$")


def start_panels(
    title: str, *, shape: tuple[int, int], legend: Sequence[Line2D], notes: str
) -> tuple[Figure, list[list[Axes]]]:
    """Title, panels by epoch in rows and columns, legend and notes; one panel is large, more are smaller.

    All but the panels take the inches that their text needs, so that nothing overlaps.
    """
    width, panel_height, gap = (10.0, 5.0, 0.0) if shape == (1, 1) else (13.0, 3.5, 0.75)
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
    figure.suptitle(title, x=left, y=1 - 0.32 / height, ha="left", va="center", fontsize=15, color=INK)
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
    """Give the axes limits in % that show the later epochs at full height, not the climb of the first ones.

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
    """Give the axes limits in nats, logarithmic when the losses span more than a decade.

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
