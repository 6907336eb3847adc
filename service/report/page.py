"""A report as one HTML page: no script, nothing loaded from elsewhere, light and dark, ready to print."""

from collections.abc import Sequence
from html import escape

from service.appendix.page import COLORS
from service.appendix.page import STYLE as APPENDIX_STYLE
from service.pictures import write_data_url
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
    sections = "".join(
        _write_section(section, number) for number, section in enumerate(report.sections, start=1)
    )
    title = escape(report.title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{APPENDIX_STYLE}{COLORS}{STYLE}</style></head>\n<body>"
        f'<header><p class="kicker">Normalization Lab · report</p><h1>{title}</h1><dl>{facts}</dl></header>'
        + (f'<ul class="notes missing">{missing}</ul>' if missing else "")
        + f"<nav><ol>{contents}</ol></nav><main>{sections}</main></body></html>\n"
    )


def _write_section(section: Section, number: int) -> str:
    blocks = "".join(_write_block(block) for block in section.blocks)
    title = f'<span class="number">{number}</span> {escape(section.title)}'
    return f'\n<section class="part" id="{section.anchor}"><h2>{title}</h2>{blocks}</section>'


def _write_block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h3>{escape(text)}</h3>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Bullets(items, is_caution):
            name = "notes" if is_caution else "plain"
            return f'<ul class="{name}">{_write_items(items)}</ul>'
        case Finding(claim, standing, words):
            tone = next((tone for word, tone in TONES.items() if standing.startswith(word)), "open")
            return (
                f'<div class="finding {tone}"><h4>{escape(claim)}'
                f' <span class="standing">{escape(standing)}</span></h4><ul>{_write_items(words)}</ul></div>'
            )
        case Code(text):
            return f"<pre><code>{escape(text)}</code></pre>"
        case Ready(html, _):
            return f'<div class="ready">{html}</div>'
        case Picture():
            source = write_data_url(block.draw(), media_type=block.media_type)
            title = escape(block.title)
            picture = f'<img src="{source}" alt="{title}">'
            return f'<figure class="plot">{picture}<figcaption>{title}</figcaption></figure>'
        case Table():
            return _write_table(block)


def _write_items(items: Sequence[str]) -> str:
    return "".join(f"<li>{escape(item)}</li>" for item in items)


def _write_table(table: Table) -> str:
    names = ["n" if is_numeric else "t" for is_numeric in table.is_numeric]
    head = "".join(
        f'<th class="{name}">{escape(heading)}</th>'
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
