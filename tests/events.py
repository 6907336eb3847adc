"""Reads server-sent events as a browser would."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event; ``id`` is None where it has none."""

    name: str
    data: Any
    id: str | None


def parse_events(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a stream's lines, each as soon as its blank line has come."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield Event(name=fields["event"], data=json.loads(fields["data"]), id=fields.get("id"))
            fields = {}
