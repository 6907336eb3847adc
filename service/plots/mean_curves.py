"""The mean over seeds of each configuration by epoch, in its 95 % t interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lab.statistics.summaries import summarize
from service.drawing.canvas import INK, clean_text, draw_notice
from service.drawing.palette import Configuration, LineStyle, name_normalization, style_configurations
from service.drawing.panels import FloatArray, limit_accuracy, limit_epochs, limit_loss, start_panels
from service.plots.curves import AXIS_LABELS, METRIC_TITLES, Metric, RunCurves, write_notes

MOST_IN_ONE_PANEL = 6
MOST_PANELS = 12
BAND_OPACITY = 0.16
BAND_WORDS = "Band: 95 % t interval of the mean over seeds."


@dataclass(frozen=True, kw_only=True)
class _Band:
    """One configuration's mean by epoch; ``low`` and ``high`` are NaN where there is a single seed."""

    configuration: Configuration
    x: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    num_seeds: int


def draw_means(
    runs: Sequence[RunCurves],
    *,
    metric: Metric,
    panel_by_label: Mapping[str, str] | None = None,
    is_compact: bool = False,
) -> Figure:
    """One measure of all configurations, each the mean of its seeds with its band.

    Many configurations are spread over panels, one for each value of ``panel_by_label``, by default for each
    normalization; panels share their scale. Diverged runs are left out, and the notes say so. Only a figure
    of one panel can be compact.
    """
    title = f"{METRIC_TITLES[metric]}, mean over seeds"
    started = [run for run in runs if run.epochs]
    if not started:
        return draw_notice(title, message=f"No epoch finished yet (runs waiting: {len(runs)}).")
    bands = _make_bands(started, metric)
    if not bands:
        return draw_notice(title, message="Every run has diverged.")
    styles = style_configurations([band.configuration for band in bands])
    panels = _arrange(bands, panel_by_label or {})
    legend = _make_legend(bands, styles, is_split=len(panels) > 1)
    shape = _choose_shape(len(panels))
    notes = f"{BAND_WORDS}  {write_notes(runs)}"
    is_compact = is_compact and len(panels) == 1
    figure, rows = start_panels(title, shape=shape, legend=legend, notes=notes, is_compact=is_compact)
    subset, quantity = metric.split("-")
    axes = [panel for row in rows for panel in row]
    for spare in axes[len(panels) :]:
        spare.remove()
    for panel in axes:
        panel.set_ylabel(f"{subset} {AXIS_LABELS[quantity]}".capitalize())
    _fill(axes[: len(panels)], panels, styles, metric)
    for row in rows:
        for panel in row[1:]:
            panel.set_ylabel("")
    return figure


def _make_bands(runs: Sequence[RunCurves], metric: Metric) -> list[_Band]:
    """Make the band of each configuration that has runs, over the epochs that all of them finished."""
    by_configuration: dict[Configuration, list[RunCurves]] = {}
    for run in runs:
        if run.diverged_at is None:
            by_configuration.setdefault(run.configuration, []).append(run)
    bands = []
    for configuration, group in by_configuration.items():
        length = min(len(run.epochs) for run in group)
        values = np.array([run.read(metric)[:length] for run in group])
        summaries = [summarize(list(column)) for column in values.T]
        mean, low, high = (
            np.array([getattr(summary, name) for summary in summaries], dtype=np.float64)
            for name in ("mean", "ci_low", "ci_high")
        )
        x = np.asarray(group[0].epochs[:length], dtype=np.float64)
        bands.append(
            _Band(configuration=configuration, x=x, mean=mean, low=low, high=high, num_seeds=len(group))
        )
    return bands


def _arrange(bands: Sequence[_Band], panel_by_label: Mapping[str, str]) -> dict[str, list[_Band]]:
    """Bands by the title of their panel; one panel without a title where they are few."""
    if len(bands) <= MOST_IN_ONE_PANEL:
        return {"": list(bands)}
    panels: dict[str, list[_Band]] = {}
    for band in bands:
        panels.setdefault(panel_by_label.get(band.configuration.label, ""), []).append(band)
    if 1 < len(panels) <= MOST_PANELS and max(map(len, panels.values())) <= MOST_IN_ONE_PANEL:
        return panels
    by_normalization: dict[str, list[_Band]] = {}
    for band in bands:
        name = name_normalization(band.configuration.normalization)
        by_normalization.setdefault(name, []).append(band)
    return by_normalization


def _choose_shape(number: int) -> tuple[int, int]:
    columns = number if number <= 3 else 2 if number == 4 else 3
    return ceil(number / columns), columns


def _make_legend(
    bands: Sequence[_Band], styles: Mapping[Configuration, LineStyle], *, is_split: bool
) -> list[Line2D]:
    """An entry for each configuration; where panels part all of one normalization, one for each of those."""
    names = {
        band.configuration: f"{clean_text(band.configuration.label, max_length=44)}, "
        f"{band.num_seeds} seed{'s' if band.num_seeds > 1 else ''}"
        for band in bands
    }
    labels = {band.configuration.normalization for band in bands}
    if not is_split or len(labels) == 1:
        return [Line2D([], [], **styles[key].to_keywords(), label=name) for key, name in names.items()]
    shown: dict[str, Line2D] = {}
    for band in bands:
        normalization = band.configuration.normalization
        color = styles[band.configuration].color
        name = name_normalization(normalization)
        shown.setdefault(name, Line2D([], [], color=color, linewidth=1.8, label=name))
    return list(shown.values())


def _fill(
    axes: Sequence[Axes],
    panels: Mapping[str, Sequence[_Band]],
    styles: Mapping[Configuration, LineStyle],
    metric: Metric,
) -> None:
    limit = limit_accuracy if metric.endswith("accuracy") else limit_loss
    bands = [band for group in panels.values() for band in group]
    limit(axes, [line for band in bands for line in (band.mean, band.low, band.high)])
    for panel, (heading, group) in zip(axes, panels.items(), strict=True):
        panel.set_title(clean_text(heading, max_length=50), loc="left", fontsize=11, color=INK)
        for band in group:
            style = styles[band.configuration]
            last = [len(band.x) - 1]
            panel.fill_between(
                band.x, band.low, band.high, color=style.color, alpha=BAND_OPACITY, linewidth=0
            )
            panel.plot(band.x, band.mean, **style.to_keywords(), markevery=last)
        limit_epochs(panel, int(max(band.x[-1] for band in group)))
