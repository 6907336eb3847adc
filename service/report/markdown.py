"""A report as Markdown, its figures as links."""

from collections.abc import Iterator

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
    Table,
)

SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_|<>[]$#"})


def write_markdown(report: Report, *, base_url: str) -> str:
    """The whole report; ``base_url`` is where the figures are."""
    parts = [f"# {escape(report.title)}"]
    parts.append("\n".join(f"- {escape(name)}: {escape(value)}" for name, value in report.facts))
    if report.missing:
        parts.append("\n".join(f"> **Missing:** {escape(sentence)}" for sentence in report.missing))
    for number, section in enumerate(report.sections, start=1):
        parts.append(f"## {number}. {escape(section.title)}")
        for block in section.blocks:
            parts += _write_block(block, base_url)
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """The text on one line, no character of it read as markup."""
    return " ".join(text.split()).translate(SPECIAL)


def _write_block(block: Block, base_url: str) -> Iterator[str]:
    match block:
        case Heading(text):
            yield f"### {escape(text)}"
        case Paragraph(text):
            yield escape(text)
        case Bullets(items, is_caution):
            mark = "> " if is_caution else ""
            yield "\n".join(f"{mark}- {escape(item)}" for item in items)
        case Finding(claim, standing, words):
            yield f"**{escape(claim)}: {escape(standing)}.**"
            yield "\n".join(f"- {escape(sentence)}" for sentence in words)
        case Code(text):
            yield f"```bash\n{text}\n```"
        case Ready(_, markdown):
            yield markdown
        case Picture():
            yield f"![{escape(block.title)}]({base_url}{block.path})"
        case Table():
            yield _write_table(block)
            if block.caption:
                yield f"*{escape(block.caption)}*"


def _write_table(table: Table) -> str:
    rules = ["---:" if is_numeric else "---" for is_numeric in table.is_numeric]
    rows = [[escape(cell) for cell in row] for row in table.rows]
    lines = [[escape(heading) for heading in table.headings], rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
