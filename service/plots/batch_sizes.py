"""Final test accuracy by batch size: where one normalization falls behind another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from lab.statistics.summaries import Summary, summarize
from service.drawing.canvas import FAINT_INK, draw_notice
from service.drawing.palette import Configuration, LineStyle, style_configurations
from service.drawing.panels import limit_accuracy, start_panels

DODGE = 1.025
"""Factor by which one line's points stand beside the next one's, so that whiskers do not hide each other."""


@dataclass(frozen=True, kw_only=True)
class BatchSizePoint:
    """The final test accuracies, fractions, of one configuration's completed seeds.

    ``line`` is what it shares with those that differ from it in the batch size alone.
    """

    line: Configuration
    batch_size: int
    accuracies: Sequence[float]


def draw_batch_sizes(points: Sequence[BatchSizePoint], *, title: str, num_unfinished: int) -> Figure:
    """A line for each setting, its means at each batch size with 95 % t intervals."""
    finished = [point for point in points if point.accuracies]
    if not finished:
        return draw_notice(title, message="No run has completed yet.")
    lines: dict[Configuration, list[BatchSizePoint]] = {}
    for point in sorted(finished, key=lambda point: point.batch_size):
        lines.setdefault(point.line, []).append(point)
    styles = style_configurations(lines)
    legend = [Line2D([], [], **styles[line].to_keywords(), label=line.label) for line in lines]
    figure, [[panel]] = start_panels(
        title, shape=(1, 1), legend=legend, notes=_write_notes(finished, num_unfinished)
    )
    drawn = [
        _draw_line(panel, lines[line], styles[line], shift=DODGE ** (place - (len(lines) - 1) / 2))
        for place, line in enumerate(lines)
    ]
    _finish(panel, sorted({point.batch_size for point in finished}))
    ends = [end for summaries in drawn for one in summaries for end in (one.ci_low, one.mean, one.ci_high)]
    limit_accuracy([panel], [np.array([end]) for end in ends if end is not None])
    return figure


def _draw_line(
    panel: Axes, points: Sequence[BatchSizePoint], style: LineStyle, *, shift: float
) -> list[Summary]:
    summaries = [summarize([100 * accuracy for accuracy in point.accuracies]) for point in points]
    shown = [summary for summary in summaries if summary is not None]
    x = [point.batch_size * shift for point in points]
    panel.plot(x, [summary.mean for summary in shown], **style.to_keywords())
    for place, summary in zip(x, shown, strict=True):
        if summary.ci_low is not None and summary.ci_high is not None:
            panel.vlines(place, summary.ci_low, summary.ci_high, color=style.color, linewidth=1.6, alpha=0.8)
    return shown


def _finish(panel: Axes, batch_sizes: Sequence[int]) -> None:
    panel.set_xscale("log", base=2)
    panel.set_xticks(batch_sizes, [f"{size:,}" for size in batch_sizes])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("Batch size (log scale)")
    panel.set_ylabel("Final test accuracy (%)")
    panel.grid(color=FAINT_INK, linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)


def _write_notes(points: Sequence[BatchSizePoint], num_unfinished: int) -> str:
    counts = sorted({len(point.accuracies) for point in points})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    notes = ["One seed each: no intervals, and differences may be chance."]
    if counts[-1] > 1:
        notes = [f"Mean of {seeds} seeds; whisker: 95 % t interval of the mean."]
    if num_unfinished:
        notes.append(f"Runs left out, as not completed: {num_unfinished}.")
    return "  ".join(notes)
