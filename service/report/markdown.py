"""A report as Markdown, its figures as links."""

from collections.abc import Iterator

from service.markdown import escape, write_table
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


def write_markdown(report: Report, *, base_url: str) -> str:
    """Write the whole report; ``base_url`` is the service's address, for links to figures."""
    parts = [f"# {escape(report.title)}"]
    parts.append("\n".join(f"- {escape(name)}: {escape(value)}" for name, value in report.facts))
    if report.missing:
        parts.append("\n".join(f"> **Missing:** {escape(sentence)}" for sentence in report.missing))
    for number, section in enumerate(report.sections, start=1):
        parts.append(f"## {number}. {escape(section.title)}")
        for block in section.blocks:
            parts += _write_block(block, base_url)
    return "\n\n".join(parts) + "\n"


def _write_block(block: Block, base_url: str) -> Iterator[str]:
    match block:
        case Heading(text):
            yield f"### {escape(text)}"
        case Paragraph(text):
            yield escape(text)
        case Bullets(items, is_caution):
            mark = "> " if is_caution else ""
            yield "\n".join(f"{mark}- {escape(item)}" for item in items)
        case Finding():
            yield f"**{escape(block.claim)}: {escape(block.words_of_standing)}.**"
            yield "\n".join(f"- {escape(sentence)}" for sentence in block.words)
        case Code(text):
            yield f"```bash\n{text}\n```"
        case Ready(_, markdown):
            yield markdown
        case Picture():
            yield f"![{escape(block.title)}]({base_url}{block.path})"
        case Table():
            yield write_table(block.headings, block.rows, is_numeric=block.is_numeric)
            if block.caption:
                yield f"*{escape(block.caption)}*"
