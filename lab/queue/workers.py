"""Workers: which are alive, and which have stalled.

A worker is alive while its process holds its slot and is heard of. The slot tells a death at once; that it
is no longer heard of tells of a process that was stopped or hangs as a whole.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.engine import seconds_now
from lab.database.tables import Worker
from lab.queue.worker_slots import list_held_slots

HEARTBEAT_SECONDS = 2.0
# After this silence a worker no longer counts as training; a busy disk can delay heartbeats by seconds.
SILENT_SECONDS = 15.0
# After this silence its jobs are given to others.
ABANDONED_SECONDS = 60.0
# A job that has not moved for this long is stalled.
STALLED_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class WorkerRecord:
    """A worker's last heartbeat.

    ``idle_seconds`` is how long its job has not moved, None without a job; ``bundle_size`` how many runs it
    trains at once to be well used.
    """

    id: str
    device: str
    started_at: datetime
    silent_seconds: float
    idle_seconds: float | None
    bundle_size: int

    @property
    def is_alive(self) -> bool:
        """True if its last heartbeat is recent."""
        return self.silent_seconds <= SILENT_SECONDS

    @property
    def is_stalled(self) -> bool:
        """True if it is alive but its job does not move."""
        return self.is_alive and (self.idle_seconds or 0.0) > STALLED_SECONDS


@dataclass(frozen=True, kw_only=True)
class Workforce:
    """Workers whose process exists, by id, and those whose process is gone."""

    workers: dict[str, WorkerRecord]
    past_workers: list[WorkerRecord] = field(default_factory=list)

    @property
    def alive(self) -> list[str]:
        """Ids of the living workers."""
        return [worker.id for worker in self.workers.values() if worker.is_alive]

    @property
    def stalled(self) -> list[str]:
        """Ids of living workers whose job does not move."""
        return [worker.id for worker in self.workers.values() if worker.is_stalled]

    @property
    def responsible(self) -> list[str]:
        """Ids of the workers whose jobs may not be given to others."""
        return [worker.id for worker in self.workers.values() if worker.silent_seconds <= ABANDONED_SECONDS]


@dataclass(frozen=True, kw_only=True)
class SignsOfLife:
    """A worker's report about itself, see ``WorkerRecord``."""

    device: str
    started_at: datetime
    idle_seconds: float | None
    bundle_size: int


def record_heartbeat(session: Session, worker_id: str, *, signs: SignsOfLife) -> None:
    """Write that the worker is there, and how long its job has not moved."""
    heartbeat = {**asdict(signs), "heard_at_seconds": seconds_now()}
    update = sa.update(Worker).where(Worker.id == worker_id).values(heartbeat).returning(Worker.id)
    if session.scalar(update) is None:
        session.execute(sa.insert(Worker).values({"id": worker_id, **heartbeat}))


def read_workforce(session: Session) -> Workforce:
    """Read the workers' current state."""
    rows = session.execute(sa.select(Worker, seconds_now() - Worker.heard_at_seconds)).all()
    held = list_held_slots(session) if rows else set()
    records = [
        WorkerRecord(
            id=worker.id,
            device=worker.device,
            started_at=worker.started_at,
            silent_seconds=max(0.0, silent_seconds),
            idle_seconds=worker.idle_seconds,
            bundle_size=worker.bundle_size,
        )
        for worker, silent_seconds in rows
    ]
    return Workforce(
        workers={record.id: record for record in records if record.id in held},
        past_workers=[record for record in records if record.id not in held],
    )
