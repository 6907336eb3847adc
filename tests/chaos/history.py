"""History of a chaos run: every request of the workload and its answer."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Submission:
    """One experiment that was accepted. ``recipe`` is the number of its body in the catalog."""

    name: str
    key: str
    body: dict[str, Any]
    recipe: int
    experiment_id: int
    run_ids: list[int]
    accepted_at: float
    is_paused: bool = False
    is_cancelled: bool = False
    num_resumes: int = 0
    cancelled_epochs: dict[int, int] = field(default_factory=dict)
    """Run id → last epoch, of the runs that were said to be cancelled, as it was said then."""
    deletion_asked_at: float | None = None
    deleted_at: float | None = None

    @property
    def is_open(self) -> bool:
        """True while it can be paused, cancelled and so on."""
        return self.deletion_asked_at is None and not self.is_cancelled


class History:
    """Every submission, and what else was done; written by the user alone, read by others too."""

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.refused_names: list[str] = []
        self.counts: Counter[str] = Counter()
