"""Building blocks of a report, before it is written as HTML or Markdown. Text is plain; writers escape it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from markupsafe import Markup

from service.plots.catalog import Size


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
    """A list of sentences; ``is_caution`` marks limits of the numbers around it."""

    items: Sequence[str]
    is_caution: bool = False


class Standing(Enum):
    """The standing of a claim: its words and its tone."""

    SUPPORTED = ("supported", "yes")
    SUPPORTED_IN_PART = ("supported in part", "part")
    CONTRADICTED = ("contradicted", "no")
    CONTRADICTED_IN_PART = ("contradicted in part", "no")
    NOT_SUPPORTED = ("not supported: no difference found", "open")
    BETTER_THAN_ALL = ("better than all others", "yes")
    BETTER_THAN_SOME = ("better than some", "yes")
    YES = ("yes", "yes")
    PRACTICALLY_SAME = ("practically the same", "no")
    NO_DIFFERENCE_FOUND = ("no difference found", "open")
    CANNOT_CONCLUDE = ("cannot conclude", "open")
    AGREES = ("agrees", "yes")
    AGREES_IN_PART = ("agrees in part", "part")
    DISAGREES = ("disagrees", "no")
    NOT_COMPARABLE = ("cannot be compared", "open")
    RULED_OUT = ("ruled out here", "yes")
    DOUBT_REMAINS = ("the doubt remains", "open")
    NO_DATA = ("no data yet", "open")
    UNTESTED = ("cannot be tested here", "open")

    def __init__(self, words: str, tone: Literal["yes", "part", "no", "open"]) -> None:
        self.words = words
        self.tone = tone


@dataclass(frozen=True)
class Finding:
    """A claim and how far the data support it, in sentences; ``detail`` replaces the standing's words."""

    claim: str
    standing: Standing
    words: Sequence[str]
    detail: str | None = None

    @property
    def words_of_standing(self) -> str:
        """The standing in words."""
        return self.detail or self.standing.words


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells; ``text_columns`` are the headings of columns of text, the others hold numbers.

    Without them, the first column is text.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    text_columns: Collection[str] = ()

    @property
    def is_numeric(self) -> list[bool]:
        """For each column, whether it holds numbers, which are aligned right."""
        text_columns = self.text_columns or self.headings[:1]
        return [heading not in text_columns for heading in self.headings]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure: where the service draws it, and how to draw it here; ``draw`` returns the file's bytes.

    A small one may stand beside the next; two of half a page fill a sheet of paper.
    """

    title: str
    path: str
    media_type: str
    draw: Callable[[], bytes]
    size: Size = "page"


@dataclass(frozen=True)
class Code:
    """Code to copy."""

    text: str


@dataclass(frozen=True)
class Ready:
    """A part that another module has written, as an HTML fragment and as Markdown."""

    html: Markup
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
    """The whole document; ``facts`` are names and values, ``missing`` says what is not available yet."""

    title: str
    facts: Sequence[tuple[str, str]]
    missing: Sequence[str]
    sections: Sequence[Section]
