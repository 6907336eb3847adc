"""Accuracy and loss curves: all runs in one figure, all four metrics on a page, or one run alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from service.drawing.canvas import FAINT_INK, INK, QUIET_INK, clean_text, draw_notice
from service.drawing.palette import Configuration, LineStyle, style_configurations, style_subset
from service.drawing.panels import FloatArray, limit_accuracy, limit_epochs, limit_loss, start_panels

Metric = Literal["train-accuracy", "test-accuracy", "train-loss", "test-loss"]
Quantity = Literal["accuracy", "loss"]
METRICS: tuple[Metric, ...] = get_args(Metric)
METRIC_TITLES: dict[Metric, str] = {metric: metric.replace("-", " ").capitalize() for metric in METRICS}
AXIS_LABELS = {"accuracy": "accuracy (%)", "loss": "loss (cross-entropy, nats)"}

MOST_MARKED_LINES = 8
"""With more lines than these, each carries its marker at its last epoch only."""


@dataclass(frozen=True, kw_only=True)
class RunCurves:
    """One run's metrics by epoch; every list is as long as ``epochs``.

    Accuracies are fractions, losses cross-entropy in nats; training images are measured like the others, in
    evaluation mode without augmentation. Validation values are ``None`` when no images were held out.
    """

    run_id: int
    label: str
    normalization: str
    penalty: str
    seed: int
    epochs: Sequence[int]
    train_loss: Sequence[float | None]
    train_accuracy: Sequence[float | None]
    validation_loss: Sequence[float | None]
    validation_accuracy: Sequence[float | None]
    test_loss: Sequence[float | None]
    test_accuracy: Sequence[float | None]

    @property
    def configuration(self) -> Configuration:
        """The run's configuration, shared with runs of other seeds."""
        return Configuration(label=self.label, normalization=self.normalization, penalty=self.penalty)

    @property
    def diverged_at(self) -> int | None:
        """The first epoch whose training or test loss is not a finite number."""
        losses = np.array([self.train_loss, self.test_loss], dtype=np.float64)
        broken = np.asarray(self.epochs)[~np.isfinite(losses).all(axis=0)]
        return int(broken[0]) if broken.size else None

    def read(self, measure: str) -> FloatArray:
        """Values of, say, test-loss by epoch, accuracies in %; NaN where not measured or after diverging."""
        values = np.array(getattr(self, measure.replace("-", "_")), dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        if self.diverged_at is not None:
            values[np.asarray(self.epochs) >= self.diverged_at] = np.nan
        return values * 100 if measure.endswith("accuracy") else values


@dataclass(frozen=True, kw_only=True)
class _Line:
    """``y`` by ``x``, by the name it has in the legend; several seeds are thin lines and their mean."""

    name: str
    style: LineStyle
    x: FloatArray
    y: FloatArray
    is_thin: bool = False
    is_mean: bool = False
    has_diverged: bool = False


def draw_metric(runs: Sequence[RunCurves], *, metric: Metric, is_compact: bool = False) -> Figure:
    """One measure of all runs; several seeds of a configuration are drawn thin, with their mean."""
    return _draw_panels(runs, title=METRIC_TITLES[metric], rows=((metric,),), is_compact=is_compact)


def draw_overview(runs: Sequence[RunCurves], *, title: str) -> Figure:
    """Draw four panels, accuracy above loss; the two panels of a row share their scale."""
    return _draw_panels(runs, title=clean_text(title, max_length=80), rows=(METRICS[:2], METRICS[2:]))


def draw_run(run: RunCurves, *, quantity: Quantity, is_compact: bool = False) -> Figure:
    """One run on the training, test and validation images.

    Marked is the epoch that is best on the validation images, or the last one when none were held out.
    """
    title = f"{clean_text(run.label, max_length=60)}, seed {run.seed}: {quantity}"
    if not run.epochs:
        return draw_notice(title, message="No epoch finished yet.")
    lines = [
        _trace(run, f"{subset}-{quantity}", name=subset, style=style_subset(subset, run.configuration))
        for subset in ("train", "validation", "test")
        if subset != "validation" or np.isfinite(run.read(f"validation-{quantity}")).any()
    ]
    legend = _make_legend(lines)
    notes = write_notes([run])
    figure, [[panel]] = start_panels(title, shape=(1, 1), legend=legend, notes=notes, is_compact=is_compact)
    panel.set_ylabel(AXIS_LABELS[quantity].capitalize())
    _fill_panels([panel], [lines], quantity)
    _mark_epoch(panel, run, quantity)
    return figure


def _draw_panels(
    runs: Sequence[RunCurves], *, title: str, rows: Sequence[Sequence[Metric]], is_compact: bool = False
) -> Figure:
    started = [run for run in runs if run.epochs]
    if not started:
        return draw_notice(title, message=f"No epoch finished yet (runs waiting: {len(runs)}).")
    lines = {metric: _gather_lines(started, metric) for row in rows for metric in row}
    legend, shape = _make_legend(lines[rows[0][0]]), (len(rows), len(rows[0]))
    notes = write_notes(runs)
    figure, axes = start_panels(title, shape=shape, legend=legend, notes=notes, is_compact=is_compact)
    for panels, metrics in zip(axes, rows, strict=True):
        for panel, metric in zip(panels, metrics, strict=True):
            subset, quantity = metric.split("-")
            panel.set_ylabel(f"{subset} {AXIS_LABELS[quantity]}".capitalize())
            if len(lines) > 1:
                panel.set_title(METRIC_TITLES[metric], loc="left", fontsize=12, color=INK)
        _fill_panels(panels, [lines[metric] for metric in metrics], quantity)
    return figure


def _gather_lines(runs: Sequence[RunCurves], metric: Metric) -> list[_Line]:
    """Make a line for each run, and the mean of a configuration's seeds that did not diverge."""
    by_configuration: dict[Configuration, list[RunCurves]] = {}
    for run in runs:
        by_configuration.setdefault(run.configuration, []).append(run)
    styles = style_configurations(by_configuration)
    has_seeds = len({run.seed for run in runs}) > 1
    lines: list[_Line] = []
    for configuration, group in by_configuration.items():
        style, label = styles[configuration], clean_text(configuration.label, max_length=44)
        for run in group:
            name = f"{label}, seed {run.seed}" if has_seeds else label
            lines.append(_trace(run, metric, name=name, style=style, is_thin=len(group) > 1))
        if len(group) > 1:
            lines.append(_average_runs(group, metric, label=label, style=style))
    return lines


def _trace(run: RunCurves, measure: str, *, name: str, style: LineStyle, is_thin: bool = False) -> _Line:
    x, diverged = np.asarray(run.epochs, dtype=np.float64), run.diverged_at is not None
    return _Line(name=name, style=style, x=x, y=run.read(measure), is_thin=is_thin, has_diverged=diverged)


def _average_runs(runs: Sequence[RunCurves], metric: Metric, *, label: str, style: LineStyle) -> _Line:
    """The mean over the epochs that every run has finished; diverged runs count only when all have."""
    averaged = [run for run in runs if run.diverged_at is None] or runs
    length = min(len(run.epochs) for run in averaged)
    x = np.asarray(averaged[0].epochs[:length], dtype=np.float64)
    y = np.mean([run.read(metric)[:length] for run in averaged], axis=0)
    name = f"{label}, mean of {_name_seeds(sorted({run.seed for run in averaged}))}"
    return _Line(name=name, style=style, x=x, y=y, is_mean=True)


def _fill_panels(panels: Sequence[Axes], contents: Sequence[Sequence[_Line]], quantity: str) -> None:
    """Draw the lines of each panel on one common scale, and note what the scale cuts off."""
    limit = limit_accuracy if quantity == "accuracy" else limit_loss
    limit(panels, [line.y for lines in contents for line in lines])
    for panel, lines in zip(panels, contents, strict=True):
        for line in lines:
            _draw_line(panel, line, is_marked=len(lines) <= MOST_MARKED_LINES)
        limit_epochs(panel, max(int(line.x[-1]) for line in lines if line.x.size))
        panel.set_title(_describe_cut(lines, panel.get_ylim()), loc="right", fontsize=8, color=QUIET_INK)


def _draw_line(panel: Axes, line: _Line, *, is_marked: bool) -> None:
    """The line, with its marker at some epochs and always at the last one, where it ends."""
    measured = [int(index) for index in np.flatnonzero(np.isfinite(line.y))]
    spacing = max(1, ceil(len(measured) / 8) if is_marked else len(measured))
    marked = measured[::-spacing] if not line.is_thin or len(measured) == 1 else []
    look = line.style.to_keywords(is_thin=line.is_thin)
    panel.plot(line.x, line.y, **look, markevery=marked, label=line.name)
    if line.has_diverged and measured:
        panel.plot(line.x[measured[-1]], line.y[measured[-1]], "x", color=line.style.color, ms=10, mew=2)


def _make_legend(lines: Sequence[_Line]) -> list[Line2D]:
    return [Line2D([], [], **line.style.to_keywords(), label=line.name) for line in lines if not line.is_thin]


def _mark_epoch(panel: Axes, run: RunCurves, quantity: str) -> None:
    """Ring and label the test value of the final epoch."""
    test, validation = run.read(f"test-{quantity}"), run.read(f"validation-{quantity}")
    if not np.isfinite(test).any():
        return
    index, reason = int(np.flatnonzero(np.isfinite(test))[-1]), "Last epoch"
    if np.isfinite(validation).any():
        index = int(np.nanargmax(validation) if quantity == "accuracy" else np.nanargmin(validation))
        reason = "Best validation epoch"
    value = f"{test[index]:.2f} %" if quantity == "accuracy" else f"{test[index]:.4f}"
    epoch = run.epochs[index]
    panel.axvline(epoch, color=QUIET_INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    panel.plot(epoch, test[index], "o", ms=12, mfc="none", mec=INK, mew=1.3)
    # Accuracy climbs away from the lower corner, loss falls away from the upper one.
    height, side = (0.06, "bottom") if quantity == "accuracy" else (0.94, "top")
    box = {"facecolor": "white", "edgecolor": FAINT_INK, "boxstyle": "round,pad=0.45"}
    words = f"{reason}: {epoch}, test {quantity} {value}"
    panel.text(0.97, height, words, transform=panel.transAxes, ha="right", va=side, color=INK, bbox=box)


def _describe_cut(lines: Sequence[_Line], limits: tuple[float, float]) -> str:
    """Describe what lies outside the limits in a few words; empty if nothing does."""
    runs = [line for line in lines if not line.is_mean and np.isfinite(line.y).any()]
    values = np.concatenate([line.y for line in runs] or [np.empty(0)])
    low, high = values[values < limits[0]], values[values > limits[1]]
    parts = [f"{_count_values(low.size)} below the axis, down to {low.min():.3g}"] if low.size else []
    parts += [f"{_count_values(high.size)} above the axis, up to {high.max():.3g}"] if high.size else []
    hidden = [line.name for line in runs if np.nanmax(line.y) < limits[0] or np.nanmin(line.y) > limits[1]]
    whole = f" (all of {hidden[0]:.24})" if len(hidden) == 1 else f" ({len(hidden)} runs entirely)"
    return "; ".join(parts) + (whole if hidden else "")


def _count_values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def write_notes(runs: Sequence[RunCurves]) -> str:
    """Write notes on runs that have diverged or not begun."""
    diverged = [
        f"{clean_text(run.label, max_length=36)} (seed {run.seed}) at epoch {run.diverged_at}"
        for run in runs
        if run.diverged_at is not None
    ]
    shown = ", ".join(diverged[:2]) + (f" and {len(diverged) - 2} more" if len(diverged) > 2 else "")
    notes = [f"× diverged, no longer a finite loss: {shown}."] if diverged else []
    if waiting := sum(not run.epochs for run in runs):
        notes.append(f"{waiting} of {len(runs)} runs have not finished an epoch yet.")
    return "  ".join(notes)


def _name_seeds(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]}–{seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}" if len(seeds) <= 3 else f"{len(seeds)} seeds"
