"""Markdown building blocks: escaped text and tables."""

from collections.abc import Sequence

SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_|<>[]$#"})


def escape(text: str) -> str:
    """Put the text on one line and escape every character that Markdown would read as markup."""
    return " ".join(text.split()).translate(SPECIAL)


def write_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, is_numeric: Sequence[bool] | None = None
) -> str:
    """Write a table; the cells are escaped, and columns marked in ``is_numeric`` are aligned right."""
    rules = ["---:" if numeric else "---" for numeric in is_numeric or [False] * len(headings)]
    cells = [[escape(cell) for cell in line] for line in (headings, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], rules, *cells[1:]))
