"""Position in an experiment's event stream, as text: the number of epochs sent of each run.

Runs that are added later come last, and a cursor from before them says that nothing of them was sent.
Runs are trained mostly in their order, so that repeats are counted: ``25*12,7,0*5`` stands for twelve runs
whose 25 epochs were sent, one at its seventh and five not begun. Being a position and not a number in a log,
it means the same after a restart of the service, and in every database.
"""

import itertools
import re
from collections.abc import Sequence

from lab.errors import InvalidRequestError

BEGINNING = "0"
"""Before everything, whatever the number of runs."""

_PART = re.compile(r"(\d{1,6})(?:\*([1-9]\d{0,5}))?")


def encode_cursor(epochs: Sequence[int]) -> str:
    """The text for the last epoch sent of each run, in the runs' order."""
    groups = ((epoch, len(list(group))) for epoch, group in itertools.groupby(epochs))
    return ",".join(f"{epoch}*{count}" if count > 1 else str(epoch) for epoch, count in groups)


def decode_cursor(text: str, *, num_runs: int) -> list[int]:
    """The last epoch sent of each of the experiment's runs.

    Raises:
        InvalidRequestError: the text is not a cursor of an experiment with ``num_runs`` runs, or once fewer.
    """
    if text == BEGINNING:
        return [0] * num_runs
    parts = [_PART.fullmatch(part) for part in text.split(",")]
    counts = [int(part[2] or 1) if part else 0 for part in parts]
    if sum(counts) > num_runs or not all(parts):
        raise InvalidRequestError(
            f"The Last-Event-ID {text[:80]!r} is not one of this experiment's events; send the id of the "
            f"last event received, {BEGINNING} for all of them, or none for what comes from now on."
        )
    sent = [int(part[1]) for part, count in zip(parts, counts, strict=True) if part for _ in range(count)]
    return sent + [0] * (num_runs - len(sent))
