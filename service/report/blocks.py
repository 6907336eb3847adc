"""What a report is made of, before it is written as HTML or Markdown. Text is plain: writers escape it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Size = Literal["small", "half", "page"]
NUMBER = re.compile(r"$|–$|[+−-]?\d")


@dataclass(frozen=True)
class Heading:
    """A heading below its section's title."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Sentences one below the other; ``is_caution`` marks what limits the figures around them."""

    items: Sequence[str]
    is_caution: bool = False


@dataclass(frozen=True)
class Finding:
    """A claim and what the data say of it. ``standing`` is a word or two, such as supported."""

    claim: str
    standing: str
    words: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    @property
    def is_numeric(self) -> list[bool]:
        """Whether each column holds figures alone, which stand one below the other at the right."""
        columns = zip(*self.rows, strict=True)
        return [all(NUMBER.match(cell) for cell in column) for column in columns] or [False] * len(
            self.headings
        )


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure: where the service draws it, and how to draw it here. ``draw`` gives the bytes of the file.

    A small one may stand beside the next; two of half a page go on one sheet of paper.
    """

    title: str
    path: str
    media_type: str
    draw: Callable[[], bytes]
    size: Size = "page"


@dataclass(frozen=True)
class Code:
    """Something to copy, line by line."""

    text: str


@dataclass(frozen=True)
class Ready:
    """A part that another module has written in both ways."""

    html: str
    markdown: str


Block = Heading | Paragraph | Bullets | Finding | Table | Picture | Code | Ready


@dataclass(frozen=True)
class Section:
    """A numbered part of the report."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The whole document. ``facts`` are name and value; ``missing`` says what is not there yet."""

    title: str
    facts: Sequence[tuple[str, str]]
    missing: Sequence[str]
    sections: Sequence[Section]
