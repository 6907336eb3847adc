"""Gradients and activations over the first epoch: small multiples, a column for each of some layers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from lab.runs.epochs import PROBE_SIZE
from lab.wording import count_words
from service.drawing.canvas import FAINT_INK, INK, QUIET_INK, clean_text, draw_notice
from service.drawing.palette import LineStyle, style_configurations
from service.drawing.panels import FloatArray, start_panels
from service.plots.layer_traces import Quantity, Trace, describe_choice

LAYERS_DRAWN = (1, 4, 7, 10, 11)
"""The first convolution, three of later blocks, and the last, whose outputs are the logits."""

BAND_OPACITY = 0.16
AXIS_LABELS: dict[Quantity, str] = {
    "gradient_norm": "Gradient norm, log scale",
    "activation_mean": "Activation mean",
    "activation_variance": "Activation variance, log scale",
}
DEFINITIONS = (
    "Gradient: of the mean cross-entropy, without a penalty, by the convolution's weights (L2 norm). "
    "Activations: the convolution's outputs, before any normalization."
)
CONDITIONS = f"First {PROBE_SIZE} training images, undistorted; no dropout."


def draw_first_epoch(traces: Sequence[Trace], *, title: str, num_configurations: int) -> Figure:
    """Draw gradient norm, activation mean and variance, a row each; panels of a row share their scale.

    A line is the median over seeds, in a band from the lowest to the highest.
    """
    if not traces:
        return draw_notice(
            title, message="No run has layer statistics; they are recorded in the first epoch."
        )
    styles = style_configurations([trace.configuration for trace in traces])
    bands = "Line: median over seeds; band: all seeds." if _has_seeds(traces) else ""
    choice = describe_choice(traces, num_configurations=num_configurations)
    figure, rows = start_panels(
        clean_text(title, max_length=90),
        shape=(len(AXIS_LABELS), len(LAYERS_DRAWN)),
        legend=[_make_handle(trace, styles[trace.configuration]) for trace in traces],
        notes=" ".join(part for part in (CONDITIONS, bands, choice) if part),
        is_dense=True,
    )
    width, height = figure.get_size_inches()
    figure.text(0.85 / width, 1 - 0.58 / height, DEFINITIONS, fontsize=9, va="center", color=QUIET_INK)
    for panels, (quantity, words) in zip(rows, AXIS_LABELS.items(), strict=True):
        for panel, layer in zip(panels, LAYERS_DRAWN, strict=True):
            for trace in traces:
                _draw_trace(panel, trace, styles[trace.configuration], quantity=quantity, layer=layer)
        _scale(
            panels, [trace.values[quantity, layer] for trace in traces for layer in LAYERS_DRAWN], quantity
        )
        panels[0].set_ylabel(words)
    for panel, layer in zip(rows[0], LAYERS_DRAWN, strict=True):
        words = " (logits)" if layer == LAYERS_DRAWN[-1] else ""
        panel.set_title(f"Convolution {layer}{words}", loc="left", fontsize=11, color=INK)
    for row in rows:
        for panel in row:
            _count_steps(panel, max(trace.steps[-1] for trace in traces), is_labelled=row is rows[-1])
    return figure


def _make_handle(trace: Trace, style: LineStyle) -> Line2D:
    label = clean_text(trace.configuration.label, max_length=44)
    return Line2D([], [], **style.to_keywords(), label=f"{label}, {count_words(trace.num_seeds, 'seed')}")


def _draw_trace(panel: Axes, trace: Trace, style: LineStyle, *, quantity: Quantity, layer: int) -> None:
    seeds = trace.values[quantity, layer]
    look = {**style.to_keywords(), "markersize": 3.5, "linewidth": 1.4}
    panel.plot(trace.steps, trace.read_median(quantity, layer), **look)
    low, high = seeds.min(axis=0), seeds.max(axis=0)
    panel.fill_between(trace.steps, low, high, color=style.color, alpha=BAND_OPACITY, linewidth=0)


def _has_seeds(traces: Sequence[Trace]) -> bool:
    return any(trace.num_seeds > 1 for trace in traces)


def _scale(panels: Sequence[Axes], values: Sequence[FloatArray], quantity: Quantity) -> None:
    """Give the panels of a row one scale; the numbers stand at the first."""
    finite = np.concatenate([each[np.isfinite(each)] for each in values])
    is_positive = quantity != "activation_mean"
    shown = finite[finite > 0] if is_positive else finite
    is_log = is_positive and shown.size > 0
    for place, panel in enumerate(panels):
        if is_log:
            panel.set_yscale("log", nonpositive="mask")
            panel.yaxis.set_minor_locator(NullLocator())
            panel.yaxis.set_major_locator(LogLocator(numticks=7))
        if shown.size:
            low, high = float(shown.min()), float(shown.max())
            pad = 0.06 * (high - low) or 0.1
            panel.set_ylim((low / 1.5, high * 1.5) if is_log else (low - pad, high + pad))
        panel.tick_params(labelleft=place == 0)


def _count_steps(panel: Axes, last: int, *, is_labelled: bool) -> None:
    """Steps as they were measured: from 0 to 1, and from there each doubling, in the same width."""
    panel.set_xscale("symlog", base=2, linthresh=1, linscale=0.5)
    panel.set_xlim(-0.3, last * 1.25)
    powers = [2**exponent for exponent in range(last.bit_length()) if 2**exponent < last / 1.5]
    thinned = [0, *powers][:: 1 + len(powers) // 6]
    panel.xaxis.set_major_locator(FixedLocator([*thinned, last]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.grid(color=FAINT_INK, linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelbottom=is_labelled, labelsize=9)
    if is_labelled:
        panel.set_xlabel("Step of the first epoch")
