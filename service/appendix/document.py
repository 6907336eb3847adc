"""Write the appendix as Markdown, with the wording that the page shares."""

from collections.abc import Sequence
from fractions import Fraction

from service.appendix.explanation import DESCRIPTIONS, FORMULA, INFERENCE, describe_traced, trace_value
from service.appendix.inference import update_running
from service.appendix.layer_working import write_formulas, write_inference_steps, write_layer_steps
from service.appendix.notation import (
    Latex,
    Notation,
    has_short_decimal,
    has_short_ratio,
    write_decimal,
)
from service.appendix.statistics import NORMALIZATIONS, Appendix, Normalization, StatisticsSet
from service.appendix.tensor import Position, build_tensor
from service.appendix.working import Step, write_latex, write_steps
from service.markdown import escape

TITLE = "Normalization, worked out by hand"
# More would be too long to read; the table and the JSON answer still hold every set.
MAX_WORKED_SETS = 64


def describe_sample(appendix: Appendix) -> str:
    """Describe the input: the shape, the groups, eps and, if given, gamma and beta."""
    images, channels, rows, columns = appendix.sample.shape
    affine = appendix.affine
    parts = [f"N = {images}, C = {channels}, H = {rows}, W = {columns}", f"groups = {appendix.groups}"]
    parts.append(f"ε = {write_decimal(affine.eps)}")
    for name, values in (("γ", affine.gamma), ("β", affine.beta)):
        if values is not None:
            parts.append(f"{name} = ({', '.join(map(write_decimal, values))})")
    return "; ".join(parts) + "."


def describe_rest(sets: tuple[StatisticsSet, ...]) -> str:
    """Say how many sets are worked out step by step, or return nothing if all are."""
    if len(sets) <= MAX_WORKED_SETS:
        return ""
    return f"The first {MAX_WORKED_SETS} of {len(sets):,} sets are worked out; the table holds all of them."


def write_result(value: Fraction, notation: Notation) -> str:
    """Write a number as ratio and decimal, or as one of them if the other adds nothing."""
    decimal = notation.decimal(value)
    if value.denominator == 1 or not has_short_ratio(value):
        return decimal if has_short_decimal(value) else notation.join((notation.symbol("≈"), decimal))
    return notation.join(
        (notation.ratio(value), notation.symbol("=" if has_short_decimal(value) else "≈"), decimal)
    )


def write_markdown(appendix: Appendix, *, title: str | None = TITLE, level: int = 1) -> str:
    """Write the appendix as Markdown with tables and LaTeX between dollar signs.

    ``level`` is the title's heading level; without a title, sections still start one level below it.
    """
    rule = "#" * level
    lines = [] if title is None else [f"{rule} {title}", ""]
    lines += [describe_sample(appendix), "", f"{rule}# Notes", ""]
    lines += [f"- {escape(note)}" for note in appendix.notes]
    lines += ["", f"{rule}# The values", "", *_write_pixels(appendix)]
    lines += ["", f"{rule}# The formula", "", *_write_formula(appendix)]
    for name in NORMALIZATIONS:
        lines += ["", *_write_section(appendix, name, rule=f"{rule}#")]
    return "\n".join(lines) + "\n"


def _write_section(appendix: Appendix, name: Normalization, *, rule: str) -> list[str]:
    sets, words = appendix.sets[name], DESCRIPTIONS[name]
    lines = [f"{rule} {words.name}", "", f"{words.sharing} ({words.source})", "", *_write_sets(sets)]
    if any(one.uses_filled_in for one in sets):
        lines += ["", "\\* contains filled-in values."]
    lines += ["", f"{rule}# Working", ""]
    if describe_rest(sets):
        lines += [describe_rest(sets), ""]
    first, *others = sets[:MAX_WORKED_SETS]
    tex = Latex()
    steps = (*write_steps(first, notation=tex), *write_layer_steps(appendix, first, notation=tex))
    lines += [f"{rule}## {_write_label(first)}", "", *_write_steps(steps)]
    for one in others:
        lines += ["", f"{rule}## {_write_label(one)}", "", "$$", write_latex(one), "$$", ""]
        lines += _write_steps(write_layer_steps(appendix, one, notation=tex))
    normalized = appendix.normalized[name]
    blocks = [[[[f"{x:.4f}" for x in row] for row in channel] for channel in image] for image in normalized]
    lines += ["", f"{rule}# Normalized", "", *_write_blocks(appendix, blocks)]
    return lines + (_write_inference(appendix, rule=f"{rule}#") if name == "batch" else [])


def _write_formula(appendix: Appendix) -> list[str]:
    formulas = [f"$${formula}$$" for formula in write_formulas(Latex())]
    traced, tex = trace_value(appendix), Latex()
    rows = [
        f"| {name} | ${write_result(one.mean, tex)}$ | ${write_result(one.variance, tex)}$ "
        f"| {one.standardized:.6g} | {one.output:.6g} |"
        for name, one in traced
    ]
    caption = escape(describe_traced(traced[0][1]))
    head = [r"| normalization | $\mu$ | $\sigma^2$ | $\hat{x}$ | $y$ |", "|---|--:|--:|--:|--:|"]
    return [FORMULA, "", *formulas, "", caption, "", *head, *rows]


def _write_inference(appendix: Appendix, *, rule: str) -> list[str]:
    """Write the running statistics of batch norm, with the first channel's update worked out."""
    running, tex = update_running(appendix), Latex()
    if not running:
        return []
    rows = [
        f"| {escape(appendix.sample.channel_names[one.batch.channels[0]])} "
        f"| ${write_result(one.batch.mean, tex)}$ | ${write_result(one.unbiased_variance, tex)}$ "
        f"| ${write_result(one.mean, tex)}$ | ${write_result(one.variance, tex)}$ |"
        for one in running
    ]
    head = r"| channel | mean $\mu$ | unbiased variance $s^2$ | running mean | running variance |"
    lines = ["", f"{rule} At inference", "", *(f"- {line}" for line in INFERENCE), "", head]
    lines += ["|---|--:|--:|--:|--:|", *rows, "", f"{rule}# {_write_label(running[0].batch)}", ""]
    return lines + _write_steps(write_inference_steps(appendix, running[0], notation=tex))


def _write_steps(steps: Sequence[Step]) -> list[str]:
    return [
        f"{number}. **{step.name}**: {escape(step.words)} ${' '.join(step.pieces)}$"
        for number, step in enumerate(steps, start=1)
    ]


def _write_sets(sets: tuple[StatisticsSet, ...]) -> list[str]:
    tex = Latex()
    rows = [
        f"| {_write_label(one)} | {one.count} | ${tex.number(one.total)}$ | ${write_result(one.mean, tex)}$ "
        f"| ${write_result(one.variance, tex)}$ | {one.std:.6g} |"
        for one in sets
    ]
    head = r"| set | $n$ | $\sum x$ | mean $\mu$ | variance $\sigma^2$ | $\sigma$ |"
    return [head, "|---|--:|--:|--:|--:|--:|", *rows]


def _write_pixels(appendix: Appendix) -> list[str]:
    sample = appendix.sample

    def write(position: Position) -> str:
        text = write_decimal(sample.pixel(position))
        return f"*{text}*" if position in sample.filled_in else text

    lines = _write_blocks(appendix, build_tensor(sample.shape, write))
    return [*lines, "", "In italics: filled in, not the study's."] if sample.filled_in else lines


def _write_blocks(appendix: Appendix, images: Sequence[Sequence[Sequence[Sequence[str]]]]) -> list[str]:
    """Write one table row per image, one column per channel, and each row of a block on its own line."""
    names = [escape(name) for name in appendix.sample.channel_names]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for number, image in enumerate(images, start=1):
        cells = ["<br>".join(" ".join(row) for row in channel) for channel in image]
        lines.append(f"| image {number} | {' | '.join(cells)} |")
    return lines


def _write_label(one: StatisticsSet) -> str:
    return escape(one.label) + (" \\*" if one.uses_filled_in else "")
