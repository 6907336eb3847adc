"""Accuracy by a setting that is swept, batch size or learning rate: where one falls behind another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from lab.statistics.summaries import summarize
from service.drawing.canvas import FAINT_INK, INK, draw_notice
from service.drawing.palette import Configuration, LineStyle, style_configurations
from service.drawing.panels import limit_accuracy, start_panels

DODGE = 1.025
"""Factor by which one line's points stand beside the next one's, so that whiskers do not hide each other."""


@dataclass(frozen=True, kw_only=True)
class SweepPoint:
    """The accuracies, fractions, of one configuration's completed seeds at one value of the setting.

    ``line`` is what it shares with those that differ from it in that setting alone. A chosen one is ringed.
    """

    line: Configuration
    value: float
    accuracies: Sequence[float]
    is_chosen: bool = False


def draw_sweep(
    points: Sequence[SweepPoint],
    *,
    title: str,
    setting: str,
    accuracy: str,
    notes: Sequence[str] = (),
    has_intervals: bool = True,
) -> Figure:
    """A line for each configuration, its means at each value, over a log axis.

    Whiskers are 95 % t intervals, or, without ``has_intervals``, reach from the least to the greatest value.
    ``setting`` and ``accuracy`` name the axes; ``notes`` follow those on means and whiskers.
    """
    finished = [point for point in points if point.accuracies]
    if not finished:
        return draw_notice(title, message="No run has completed yet.")
    lines: dict[Configuration, list[SweepPoint]] = {}
    for point in sorted(finished, key=lambda point: point.value):
        lines.setdefault(point.line, []).append(point)
    styles = style_configurations(lines)
    legend = [Line2D([], [], **styles[line].to_keywords(), label=line.label) for line in lines]
    all_notes = "  ".join([_describe_seeds(finished, has_intervals=has_intervals), *notes])
    figure, [[panel]] = start_panels(title, shape=(1, 1), legend=legend, notes=all_notes)
    drawn = [
        _draw_line(
            panel,
            lines[line],
            styles[line],
            shift=DODGE ** (place - (len(lines) - 1) / 2),
            has_intervals=has_intervals,
        )
        for place, line in enumerate(lines)
    ]
    _finish(panel, sorted({point.value for point in finished}), setting=setting, accuracy=accuracy)
    limit_accuracy([panel], [np.array([end]) for line in drawn for end in line])
    return figure


def _draw_line(
    panel: Axes, points: Sequence[SweepPoint], style: LineStyle, *, shift: float, has_intervals: bool
) -> list[float]:
    """Draw a line, and list the heights that are to be seen."""
    summaries = [summarize([100 * accuracy for accuracy in point.accuracies]) for point in points]
    shown = [summary for summary in summaries if summary is not None]
    heights = [summary.mean for summary in shown]
    x = [point.value * shift for point in points]
    panel.plot(x, heights, **style.to_keywords())
    for place, point, summary in zip(x, points, shown, strict=True):
        low, high = (summary.ci_low, summary.ci_high) if has_intervals else (summary.min, summary.max)
        if low is not None and high is not None:
            panel.vlines(place, low, high, color=style.color, linewidth=1.6, alpha=0.8)
            heights += [low, high]
        if point.is_chosen:
            panel.scatter(place, summary.mean, s=150, facecolors="none", edgecolors=INK, linewidths=1.2)
    return heights


def _finish(panel: Axes, values: Sequence[float], *, setting: str, accuracy: str) -> None:
    panel.set_xscale("log", base=2)
    panel.set_xticks(values, [f"{value:,g}" for value in values])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel(f"{setting} (log scale)")
    panel.set_ylabel(f"{accuracy} (%)")
    panel.grid(color=FAINT_INK, linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)


def _describe_seeds(points: Sequence[SweepPoint], *, has_intervals: bool) -> str:
    counts = sorted({len(point.accuracies) for point in points})
    if counts[-1] == 1:
        return "One seed each: no intervals, and differences may be chance."
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    whisker = "95 % t interval of the mean" if has_intervals else "from the least to the greatest"
    return f"Mean of {seeds} seeds; whisker: {whisker}."
