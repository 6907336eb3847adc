"""A report as one HTML page: no script, nothing loaded from elsewhere, light and dark, ready to print."""

import itertools
from collections.abc import Iterator, Sequence
from html import escape

from service.appendix.page import read_stylesheet
from service.data_urls import write_data_url
from service.report.blocks import (
    Block,
    Bullets,
    Code,
    Finding,
    Heading,
    Paragraph,
    Picture,
    Ready,
    Report,
    Section,
    Table,
)
from service.report.style import STYLE, TONES


def write_html(report: Report) -> str:
    """Write the page, drawing every figure into it."""
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in report.facts
    )
    missing = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.missing)
    contents = "".join(
        f'<li><a href="#{section.anchor}">{escape(section.title)}</a></li>' for section in report.sections
    )
    numbers = itertools.count(1)
    sections = "".join(
        _write_section(section, place, numbers) for place, section in enumerate(report.sections, start=1)
    )
    title = escape(report.title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{read_stylesheet()}{STYLE}</style></head>\n<body>"
        f'<header><p class="kicker">Normalization Lab · report</p><h1>{title}</h1><dl>{facts}</dl></header>'
        + (f'<ul class="notes missing">{missing}</ul>' if missing else "")
        + f"<nav><ol>{contents}</ol></nav><main>{sections}</main></body></html>\n"
    )


def _write_section(section: Section, number: int, numbers: Iterator[int]) -> str:
    blocks = "".join(_write_block(block, numbers) for block in section.blocks)
    title = f'<span class="number">{number}</span> {escape(section.title)}'
    inside = f'<h2>{title}</h2><div class="flow">{blocks}</div>'
    return f'\n<section class="part" id="{section.anchor}">{inside}</section>'


def _write_block(block: Block, numbers: Iterator[int]) -> str:
    """The block as HTML; ``numbers`` has the number of the next figure."""
    match block:
        case Heading(text):
            return f"<h3>{escape(text)}</h3>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Bullets(items, is_caution):
            name = "notes" if is_caution else "plain"
            return f'<ul class="{name}">{_write_items(items)}</ul>'
        case Finding():
            return _write_finding(block)
        case Code(text):
            return f"<pre><code>{escape(text)}</code></pre>"
        case Ready(html, _):
            return f'<div class="ready">{html}</div>'
        case Picture():
            return _write_picture(block, next(numbers))
        case Table():
            return _write_table(block)


def _write_finding(finding: Finding) -> str:
    tone = next((tone for word, tone in TONES.items() if finding.standing.startswith(word)), "open")
    standing = f'<span class="standing">{escape(finding.standing)}</span>'
    head = f"<h4>{escape(finding.claim)} {standing}</h4>"
    return f'<div class="finding {tone}">{head}<ul>{_write_items(finding.words)}</ul></div>'


def _write_picture(picture: Picture, number: int) -> str:
    source = write_data_url(picture.draw(), media_type=picture.media_type)
    title = escape(picture.title)
    caption = f"<figcaption><b>Figure {number}.</b> {title}</figcaption>"
    return f'<figure class="plot {picture.size}"><img src="{source}" alt="{title}">{caption}</figure>'


def _write_items(items: Sequence[str]) -> str:
    return "".join(f"<li>{escape(item)}</li>" for item in items)


def _write_table(table: Table) -> str:
    names = ["n" if is_numeric else "t" for is_numeric in table.is_numeric]
    head = "".join(
        f'<th class="{name}">{_keep_together(escape(heading))}</th>'
        for name, heading in zip(names, table.headings, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(f'<td class="{name}">{escape(cell)}</td>' for name, cell in zip(names, row, strict=True))
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    inside = f"{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="scroll"><table class="data">{inside}</table></div>'


def _keep_together(heading: str) -> str:
    """A difference stays on one line."""
    return heading.replace(" − ", "\u00a0−\u00a0")
