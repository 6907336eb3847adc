"""Work read from the workers' logs: who recorded each epoch, and when each worker was ready."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from tests.chaos.cluster import SERVICE, Life

_TIME = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})"
_READY = re.compile(_TIME + r" INFO worker: \S+ ready on", re.MULTILINE)
_EPOCH = re.compile(
    _TIME + r" INFO worker\.jobs: run (\d+) \(.*\): epoch (\d+) of \d+, .*, ([\d.]+) s$", re.MULTILINE
)
_ALARM = re.compile(
    r"^\S+ \S+ (?:WARNING|ERROR|CRITICAL) .*$|^Traceback.*$|^[\w.]+(?:Error|Exception).*$", re.M
)


@dataclass(frozen=True, kw_only=True)
class LoggedEpoch:
    """One line of a worker about an epoch that it has trained."""

    at: float
    seconds: float
    run_id: int
    epoch: int
    life: Life

    @property
    def started_at(self) -> float:
        """When the epoch was begun, or earlier if another worker did."""
        return self.at - self.seconds


@dataclass(frozen=True, kw_only=True)
class Work:
    """All that the workers logged, in the order of time."""

    epochs: list[LoggedEpoch]
    start_to_epoch_seconds: list[float]

    @property
    def num_needed(self) -> int:
        """Number of epochs to train."""
        return len({(line.run_id, line.epoch) for line in self.epochs})

    @property
    def num_redone(self) -> int:
        """Number of epochs trained again to the end."""
        return len(self.epochs) - self.num_needed

    @property
    def redone_by_run(self) -> Counter[int]:
        """The same for each run that has any."""
        counts = Counter((line.run_id, line.epoch) for line in self.epochs)
        redone: Counter[int] = Counter()
        for (run_id, _), count in counts.items():
            redone[run_id] += count - 1
        return +redone

    @property
    def starts(self) -> list[LoggedEpoch]:
        """The first epochs of each attempt: those that do not follow on one of the same worker."""
        last: dict[tuple[int, str], int] = {}
        starts = []
        for line in self.epochs:
            place = (line.run_id, line.life.name)
            if last.get(place) != line.epoch - 1:
                starts.append(line)
            last[place] = line.epoch
        return starts

    @property
    def num_resumes(self) -> int:
        """How often a run was gone on with, at least an epoch in."""
        return sum(line.epoch > 1 for line in self.starts)

    @property
    def median_start_to_epoch(self) -> float:
        """Seconds from a worker's start to the first epoch that it logs."""
        return median(self.start_to_epoch_seconds) if self.start_to_epoch_seconds else float("nan")


def read_work(lives: Sequence[Life]) -> Work:
    """Read every worker's log."""
    by_life: dict[str, list[LoggedEpoch]] = defaultdict(list)
    for life in lives:
        for found in _EPOCH.finditer(life.read_log()) if life.module != SERVICE else ():
            time, run_id, epoch, seconds = found.groups()
            by_life[life.name].append(
                LoggedEpoch(
                    at=_read_time(time),
                    seconds=float(seconds),
                    run_id=int(run_id),
                    epoch=int(epoch),
                    life=life,
                )
            )
    return Work(
        epochs=sorted((line for lines in by_life.values() for line in lines), key=lambda line: line.at),
        start_to_epoch_seconds=[lines[0].at - lines[0].life.started_at for lines in by_life.values()],
    )


def find_ready_at(life: Life) -> float | None:
    """When the worker said that it is ready; None if it died before."""
    found = _READY.search(life.read_log())
    return _read_time(found[1]) if found else None


def list_alarms(lives: Sequence[Life]) -> list[str]:
    """Warnings, errors and the heads and ends of tracebacks, each with the process that logged it."""
    return [f"{life.name}: {line[0][:200]}" for life in lives for line in _ALARM.finditer(life.read_log())]


def _read_time(text: str) -> float:
    # The logs have the local time, without its zone.
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").timestamp()  # noqa: DTZ007
