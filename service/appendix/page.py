"""The appendix as one HTML page: no script, nothing loaded from elsewhere, light and dark, ready to print."""

from collections.abc import Callable
from html import escape

from service.appendix.colors import EDGES, FILLS, pick_colors
from service.appendix.document import (
    DESCRIPTIONS,
    MAX_WORKED_SETS,
    TITLE,
    describe_rest,
    describe_sample,
    write_result,
)
from service.appendix.notation import MathMl, write_decimal
from service.appendix.statistics import NORMALIZATIONS, Appendix, Normalization, StatisticsSet
from service.appendix.tensor import Position
from service.appendix.working import Step, write_steps

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faded: #59636e; --paper: #fff; --rule: #d1d9e0;
  --tint: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --faded: #a2abb6; --paper: #14171b; --rule: #363c44; --tint: #1c2026; }
}
body { font: 1rem/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 66rem;
  margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.4rem; margin: 3rem 0 .4rem; padding-top: 1.2rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; }
.faded, caption, figcaption { color: var(--faded); font-size: .9rem; }
.notes { background: var(--tint); border-left: 4px solid #b07900; padding: .8rem 1rem .8rem 2.2rem;
  margin: 1.2rem 0; }
.notes li + li { margin-top: .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.sets th, .sets td { padding: .35rem .8rem .35rem 0; text-align: right;
  border-bottom: 1px solid var(--rule); }
.sets tr > :first-child { text-align: left; font-weight: normal; white-space: nowrap; }
.sets thead th { color: var(--faded); font-weight: 600; font-size: .9rem; }
.pair { display: flex; flex-wrap: wrap; gap: 1.2rem 2.5rem; margin: 1.2rem 0; }
figure { margin: 0; max-width: 100%; }
figcaption { margin-bottom: .35rem; }
.grid th { font-weight: normal; font-size: .85rem; color: var(--faded); padding: 0 .5rem .2rem 0;
  white-space: nowrap; }
.grid td { padding: 3px; }
.block { display: grid; gap: 1px; padding: 4px; border-radius: 5px; background: var(--fill); color: #1b1f24; }
.block span { background: #ffffffb8; min-width: 1.7em; padding: .1em .3em; text-align: center;
  font-size: .85rem; }
.block em { color: #59636e; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .5em;
  background: var(--fill); border: 1px solid var(--edge); vertical-align: -.05em; }
@media (prefers-color-scheme: dark) {
  .block { background: var(--edge); color: #f2f4f7; }
  .block span { background: #101317c8; }
  .block em { color: #b4bcc6; }
}
details { border: 1px solid var(--rule); border-radius: 6px; margin: .5rem 0; padding: .45rem .9rem; }
summary { cursor: pointer; font-weight: 600; }
ol { padding-left: 1.4rem; }
li > .math { display: block; padding: .15rem 0 .5rem; overflow: auto hidden; }
math { font-size: 1.08em; margin-right: .3em; }
@media print {
  :root { --ink: #000; --faded: #444; --paper: #fff; --rule: #bbb; --tint: #f4f4f4; }
  body { font-size: 10pt; max-width: none; padding: 0; }
  figure, tr, li { break-inside: avoid; }
  h2, h3, summary { break-after: avoid; }
  details:not([open]), .screen { display: none; }
  .block, .swatch { print-color-adjust: exact; background: var(--fill); color: #000; }
  .block span { background: #ffffffb8; font-size: 8pt; padding: .05em .2em; min-width: 1.5em; }
  .block em { color: #555; }
  .pair { gap: .8rem; }
  section + section { break-before: page; }
  h2 { margin-top: 0; border-top: 0; padding-top: 0; }
  .grid td { padding: 1px; }
  .grid th { font-size: 8pt; }
  .sets th, .sets td { padding-top: .15rem; padding-bottom: .15rem; }
  .scroll, li > .math { overflow: visible; }
}
"""

COLORS = "".join(
    f".c{index} {{ --fill: {fill}; --edge: {edge}; }}\n"
    for index, (fill, edge) in enumerate(zip(FILLS, EDGES, strict=True))
)


def write_html(appendix: Appendix) -> str:
    """Write the appendix as a self-contained page whose formulas are MathML, drawn by the browser itself."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(TITLE)}</title><style>{STYLE}{COLORS}</style></head>\n<body>"
        f"<h1>{escape(TITLE)}</h1>{write_body(appendix)}</body></html>\n"
    )


def write_body(appendix: Appendix) -> str:
    """Everything below the title, for a page that has ``STYLE`` and ``COLORS``."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in appendix.notes)
    sections = "".join(_write_section(appendix, name) for name in NORMALIZATIONS)
    return f'<p class="faded">{escape(describe_sample(appendix))}</p><ul class="notes">{notes}</ul>{sections}'


def _write_section(appendix: Appendix, name: Normalization) -> str:
    sets, words = appendix.sets[name], DESCRIPTIONS[name]
    colors = pick_colors(sets)
    rest = describe_rest(sets)
    hint = (
        '<p class="faded screen">Open any of them; closed ones are not printed.</p>' if len(sets) > 1 else ""
    )
    worked = "".join(_write_working(one, is_open=one is sets[0]) for one in sets[:MAX_WORKED_SETS])
    mark = '<p class="faded">* contains filled-in values, in italics above.</p>'
    return (
        f'\n<section id="{name}"><h2>{words.name}</h2>'
        f'<p>{escape(words.sharing)} <span class="faded">{escape(words.source)}</span></p>'
        f'<div class="pair">{_write_pixels(appendix, name)}{_write_normalized(appendix, name)}</div>'
        f"{_write_sets(sets, colors)}{mark if any(one.uses_filled_in for one in sets) else ''}"
        f"<h3>Working</h3>{f'<p>{escape(rest)}</p>' if rest else ''}{hint}{worked}</section>"
    )


def _write_pixels(appendix: Appendix, name: Normalization) -> str:
    sample = appendix.sample

    def write(position: Position) -> str:
        text = _minus(write_decimal(sample.pixel(position)))
        return f"<em>{text}</em>" if position in sample.filled_in else text

    return _write_grid(appendix, name, title="The values, coloured by set", write=write)


def _write_normalized(appendix: Appendix, name: Normalization) -> str:
    tensor = appendix.normalized[name]

    def write(position: Position) -> str:
        image, channel, row, column = position
        return _minus(f"{tensor[image][channel][row][column]:.3f}")

    return _write_grid(appendix, name, title="Normalized", write=write)


def _write_grid(
    appendix: Appendix, name: Normalization, *, title: str, write: Callable[[Position], str]
) -> str:
    sample, sets = appendix.sample, appendix.sets[name]
    colors = {
        (image, channel): color
        for one, color in zip(sets, pick_colors(sets), strict=True)
        for image in one.images
        for channel in one.channels
    }
    head = "".join(f"<th>{escape(channel)}</th>" for channel in sample.channel_names)
    rows = []
    for image in range(sample.shape[0]):
        cells = []
        for channel in range(sample.shape[1]):
            spans = "".join(f"<span>{write(at)}</span>" for at in sample.positions((image,), (channel,)))
            style = f"grid-template-columns: repeat({sample.shape[3]}, auto)"
            color = colors[image, channel]
            cells.append(f'<td><div class="block c{color}" style="{style}">{spans}</div></td>')
        rows.append(f"<tr><th>image {image + 1}</th>{''.join(cells)}</tr>")
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><div class="scroll">'
        f'<table class="grid"><tr><th></th>{head}</tr>{"".join(rows)}</table></div></figure>'
    )


def _write_sets(sets: tuple[StatisticsSet, ...], colors: tuple[int, ...]) -> str:
    mathml = MathMl()
    rows = "".join(
        f'<tr><th scope="row"><span class="swatch c{color}"></span>{_write_label(one)}</th>'
        f"<td>{one.count}</td><td>{_write_math(mathml.number(one.total))}</td>"
        f"<td>{_write_math(write_result(one.mean, mathml))}</td>"
        f"<td>{_write_math(write_result(one.variance, mathml))}</td><td>{one.std:.6g}</td></tr>"
        for one, color in zip(sets, colors, strict=True)
    )
    head = "<th>set</th><th>n</th><th>Σx</th><th>mean μ</th><th>variance σ²</th><th>σ</th>"
    return (
        f'<div class="scroll"><table class="sets"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _write_working(one: StatisticsSet, *, is_open: bool) -> str:
    steps = "".join(_write_step(step) for step in write_steps(one, notation=MathMl()))
    tag = "details open" if is_open else "details"
    return f"<{tag}><summary>{_write_label(one)}</summary><ol>{steps}</ol></details>"


def _write_step(step: Step) -> str:
    pieces = "".join(f'<math displaystyle="true"><mrow>{piece}</mrow></math>' for piece in step.pieces)
    return f'<li><b>{escape(step.name)}</b>: {escape(step.words)}<span class="math">{pieces}</span></li>'


def _write_math(inside: str) -> str:
    return f"<math><mrow>{inside}</mrow></math>"


def _write_label(one: StatisticsSet) -> str:
    return escape(one.label) + ("*" if one.uses_filled_in else "")


def _minus(number: str) -> str:
    return number.replace("-", "−")
