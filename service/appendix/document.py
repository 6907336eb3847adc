"""Write the appendix as Markdown, with the wording that the page shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from service.appendix.notation import Latex, Notation, has_short_decimal, has_short_ratio, write_decimal
from service.appendix.statistics import NORMALIZATIONS, Appendix, Normalization, StatisticsSet
from service.appendix.tensor import Position, build_tensor
from service.appendix.working import write_latex, write_steps
from service.markdown import escape

TITLE = "Normalization, worked out by hand"
# More would be too long to read; the table and the JSON answer still hold every set.
MAX_WORKED_SETS = 64


@dataclass(frozen=True)
class Description:
    """A normalization in words: its name, its rule in short and in a sentence, and its paper."""

    name: str
    rule: str
    sharing: str
    source: str


DESCRIPTIONS: dict[Normalization, Description] = {
    "batch": Description(
        "Batch norm",
        "one set per channel, over all images",
        "Each channel has one mean and one variance, over all images and pixels.",
        "Ioffe & Szegedy 2015",
    ),
    "layer": Description(
        "Layer norm",
        "one set per image, over all its channels",
        "Each image has one mean and one variance, over all its channels and pixels.",
        "Ba, Kiros & Hinton 2016",
    ),
    "group": Description(
        "Group norm",
        "one set per image and group of channels",
        "The channels of each image are split into groups of neighbors, and each group has its own mean and "
        "variance.",
        "Wu & He 2018",
    ),
    "instance": Description(
        "Instance norm",
        "one set per image and channel",
        "Each channel of each image has its own mean and variance.",
        "Ulyanov, Vedaldi & Lempitsky 2016",
    ),
}


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
    lines += [f"{rule}## {_write_label(first)}", ""]
    for number, step in enumerate(write_steps(first, notation=Latex()), start=1):
        lines.append(f"{number}. **{step.name}**: {step.words} ${' '.join(step.pieces)}$")
    for one in others:
        lines += ["", f"{rule}## {_write_label(one)}", "", "$$", write_latex(one), "$$"]
    normalized = appendix.normalized[name]
    blocks = [[[[f"{x:.4f}" for x in row] for row in channel] for channel in image] for image in normalized]
    return [*lines, "", f"{rule}# Normalized", "", *_write_blocks(appendix, blocks)]


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
