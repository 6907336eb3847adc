"""Ranking of configurations: their seeds, means and intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lab.statistics.summaries import Summary, summarize
from service.drawing.canvas import FAINT_INK, INK, QUIET_INK, clean_text, draw_notice, write_heading
from service.drawing.palette import NORMALIZATION_COLORS, OTHER_COLOR
from service.drawing.panels import FAR_BELOW, LEAST_ACCURACY_SPAN

MOST_SHOWN = 60
WIDTH, ROW_HEIGHT, HEADER, FOOTER = 11.0, 0.34, 1.0, 0.85
LEFT, RIGHT = 3.3, 2.6
"""Inches, as are all lengths here."""

MOST_SQUEEZE = 2.5
"""How many times wider the axis may become to show configurations far below the others."""


@dataclass(frozen=True, kw_only=True)
class RankedConfiguration:
    """A configuration's final test accuracies, fractions, one for each completed seed."""

    label: str
    normalization: str
    accuracies: Sequence[float]

    def summarize_percent(self) -> Summary:
        """The sample in %."""
        summary = summarize([100 * accuracy for accuracy in self.accuracies])
        assert summary is not None, "a configuration without a completed seed has no rank"
        return summary


def draw_ranking(configurations: Sequence[RankedConfiguration], *, title: str, num_unfinished: int) -> Figure:
    """Draw configurations from best to worst mean; those without a completed seed are left out.

    A configuration far below the others would squeeze them: an arrow at the edge stands for it.
    """
    ranked = [(one, one.summarize_percent()) for one in configurations if one.accuracies]
    if not ranked:
        return draw_notice(title, message="No run has completed yet.")
    ranked.sort(key=lambda pair: -pair[1].mean)
    hidden = len(ranked) - MOST_SHOWN
    ranked = ranked[:MOST_SHOWN]
    height = HEADER + ROW_HEIGHT * len(ranked) + FOOTER
    figure = Figure(figsize=(WIDTH, height))
    panel = figure.add_axes(
        (LEFT / WIDTH, FOOTER / height, (WIDTH - LEFT - RIGHT) / WIDTH, 1 - (HEADER + FOOTER) / height)
    )
    low, high = _choose_limits(ranked)
    panel.set_xlim(low, high)
    panel.set_ylim(len(ranked) - 0.5, -0.5)
    for place, (one, summary) in enumerate(ranked):
        _draw_row(panel, one, summary, place=place)
    _finish(panel, [one.label for one, _ in ranked])
    words = "Dots: seeds. Mark: mean. Whisker: 95 % t interval of the mean. Right: mean ± half the interval."
    write_heading(figure, title, words)
    notes = _write_notes(ranked, num_unfinished, hidden)
    figure.text(0.3 / WIDTH, 0.14 / height, notes, fontsize=8.5, color=QUIET_INK)
    return figure


def _choose_limits(ranked: Sequence[tuple[RankedConfiguration, Summary]]) -> tuple[float, float]:
    """The range of seeds and intervals; means far below the typical one fall out if they would squeeze it."""
    floor = np.median([summary.mean for _, summary in ranked]) - FAR_BELOW
    low, high = _find_range([summary for _, summary in ranked])
    near = _find_range([summary for _, summary in ranked if summary.mean >= floor])
    if high - low > MOST_SQUEEZE * (near[1] - near[0]):
        low, high = near
    span = max(high - low, LEAST_ACCURACY_SPAN)
    return low - 0.05 * span, min(high + 0.05 * span, 100 + 0.03 * span)


def _find_range(summaries: Sequence[Summary]) -> tuple[float, float]:
    lows = [
        summary.min if summary.ci_low is None else min(summary.min, summary.ci_low) for summary in summaries
    ]
    highs = [
        summary.max if summary.ci_high is None else max(summary.max, summary.ci_high) for summary in summaries
    ]
    return max(min(lows), 0.0), max(highs)


def _draw_row(panel: Axes, one: RankedConfiguration, summary: Summary, *, place: int) -> None:
    low, high = panel.get_xlim()
    color = NORMALIZATION_COLORS.get(one.normalization, OTHER_COLOR)
    values = [100 * accuracy for accuracy in one.accuracies]
    if summary.mean < low:
        panel.plot(low + 0.02 * (high - low), place, "<", color=color, markersize=8)
    else:
        if summary.ci_low is not None and summary.ci_high is not None:
            panel.hlines(place, summary.ci_low, summary.ci_high, color=color, linewidth=2.2)
        if len(values) > 1:
            offsets = np.full(len(values), place + 0.23)
            panel.plot(values, offsets, "o", color=color, markersize=3.2, alpha=0.55, markeredgewidth=0)
        face = color if len(values) > 1 else "white"
        panel.plot(summary.mean, place, "D", color=color, markersize=6.5, markerfacecolor=face)
    edge = high + 0.03 * (high - low)
    panel.text(edge, place, _write_summary(summary), va="center", fontsize=9.5, color=INK)


def _write_summary(summary: Summary) -> str:
    if summary.ci_high is None:
        return f"{summary.mean:.2f}   one seed, no interval"
    return f"{summary.mean:.2f} ± {summary.ci_high - summary.mean:.2f}   n = {summary.n}"


def _finish(panel: Axes, labels: Sequence[str]) -> None:
    names = [clean_text(label, max_length=38) for label in labels]
    panel.set_yticks(range(len(names)), names, fontsize=9.5)
    panel.tick_params(axis="y", length=0)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    panel.grid(axis="x", color=FAINT_INK, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.set_xlabel("Final test accuracy (%)")
    panel.spines[["top", "right", "left"]].set_visible(False)


def _write_notes(
    ranked: Sequence[tuple[RankedConfiguration, Summary]], num_unfinished: int, num_hidden: int
) -> str:
    notes = ["Intervals are not the test: pairs are compared seed by seed, see the verdicts."]
    if all(summary.n == 1 for _, summary in ranked):
        notes = ["One seed each: the order may be chance."]
    if num_unfinished:
        notes.append(f"Runs left out, as not completed: {num_unfinished}.")
    if num_hidden > 0:
        notes.append(f"The {num_hidden} lowest configurations are not shown.")
    return "  ".join(notes)
