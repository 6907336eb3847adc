"""Gradients and activations over the first epoch: a figure, and what it shows in sentences."""

from collections.abc import Sequence
from math import floor, log10

from lab.experiments.architecture import ROWS
from lab.wording import join_words
from service.plots.layer_traces import Trace, describe_choice, trace_layers
from service.report.blocks import Block, Bullets, Paragraph, Section
from service.report.data import Material
from service.report.sections.results import make_plot

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FIRST, LAST = ROWS[0].number, ROWS[-1].number

LIMITS = (
    "Numbers are medians over seeds. They stand side by side: they do not show that a difference in them "
    "causes a difference in accuracy."
)


def write_first_epoch(material: Material) -> Section:
    """The figure, and in sentences what it shows of the first and the last convolution."""
    configurations = material.experiment.configurations
    traces = trace_layers(configurations, material.layer_statistics)
    blocks: list[Block] = [
        Paragraph(
            "No run has layer statistics: they are recorded during the first epoch, which has not begun, or "
            "ended before this version recorded them."
        )
    ]
    if traces:
        choice = describe_choice(traces, num_configurations=len(configurations))
        # Those that an older version began to train lack their first steps.
        whole = [trace for trace in traces if trace.steps[0] == 0]
        lines = [_compare_gradients(whole, 0), _compare_variances(whole), _compare_gradients(traces, -1)]
        blocks = [
            make_plot(material, "first-epoch"),
            Bullets([line for line in lines if line]),
            Paragraph(f"{choice} {LIMITS}".strip()),
        ]
    return Section("first-epoch", "Gradients and activations in the first epoch", blocks)


def _compare_gradients(traces: Sequence[Trace], place: int) -> str:
    """Name the smallest and the largest gradient at one of the steps; empty if there are no two."""
    read = {trace.configuration.label: trace.read_median("gradient_norm", FIRST)[place] for trace in traces}
    norms = {label: float(norm) for label, norm in read.items() if norm > 0}
    if len(norms) < 2:
        return ""
    low, high = min(norms, key=norms.__getitem__), max(norms, key=norms.__getitem__)
    when = "Before the first step" if place == 0 else "At the last step measured"
    return (
        f"{when} the gradient norm of the first convolution is largest in {high} "
        f"({write_number(norms[high])}) and smallest in {low} ({write_number(norms[low])}): "
        f"a ratio of {write_number(norms[high] / norms[low])}."
    )


def _compare_variances(traces: Sequence[Trace]) -> str:
    """Say how the variance of the activations changes through the network; empty where none is finite."""
    factors = []
    for trace in traces:
        first, last = (trace.read_median("activation_variance", layer)[0] for layer in (FIRST, LAST))
        if first > 0 and last > 0:
            factors.append(f"{write_number(last / first)} ({trace.configuration.label})")
    if not factors:
        return ""
    return (
        "Before the first step the variance of the activations changes from the first convolution to the "
        f"last, the logits, by a factor of {join_words(factors)}."
    )


def write_number(value: float) -> str:
    """A positive number with two digits: “0.18”, “4,700”, “3.6·10⁻⁹”."""
    rounded = round(value, 1 - floor(log10(value)))
    exponent = floor(log10(rounded))
    if -3 <= exponent <= 5:
        return f"{rounded:,.{max(0, 1 - exponent)}f}"
    return f"{rounded / 10**exponent:.1f}·10{str(exponent).translate(SUPERSCRIPTS)}"
