"""Report of a chaos run, in words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.cluster import Life
from tests.chaos.logs import Work, list_alarms

NUM_ALARMS = 25
NUM_LAST_LINES = 6


@dataclass(frozen=True, kw_only=True)
class Report:
    """The counts of one chaos run, and what was not kept."""

    seed: int
    phases: dict[str, float]
    """Phase → its seconds."""
    violations: list[str]
    counts: Counter[str]
    num_answers_seen: int
    num_runs: int
    num_identical: int
    num_cancelled: int
    termination_seconds: list[float]
    work: Work
    lives: Sequence[Life]

    def summarize(self) -> str:
        """The counts, a line each."""
        work = self.work
        rows = [
            ("seed", str(self.seed)),
            *((f"seconds of {name}", f"{seconds:.0f}") for name, seconds in self.phases.items()),
            *((name, str(count)) for name, count in sorted(self.counts.items())),
            ("slowest end after SIGTERM", f"{max(self.termination_seconds, default=0.0):.1f} s"),
            ("runs accepted", str(self.num_runs)),
            ("runs completed, bit for bit as undisturbed", str(self.num_identical)),
            ("runs cancelled, as far as they were measured", str(self.num_cancelled)),
            ("epochs trained to their end", str(len(work.epochs))),
            ("epochs needed", str(work.num_needed)),
            ("epochs redone", str(work.num_redone)),
            ("attempts that went on from a checkpoint", str(work.num_resumes)),
            ("worker's start to its first epoch, median", f"{work.median_start_to_epoch:.1f} s"),
            ("answers the observer looked at", str(self.num_answers_seen)),
            ("violations", str(len(self.violations))),
        ]
        return "\n".join(f"{name:.<48} {value}" for name, value in rows)

    def describe(self) -> str:
        """The counts; and if there are violations, these and what the logs say."""
        if not self.violations:
            return self.summarize()
        alarms = Counter(list_alarms(self.lives))
        return "\n".join(
            [
                self.summarize(),
                "",
                f"VIOLATIONS; again with: python -m tests.chaos --seed {self.seed}",
                *(f"- {violation}" for violation in self.violations),
                "",
                "Warnings and errors in the logs:",
                *(f"  {count}× {line}" for line, count in alarms.most_common(NUM_ALARMS)),
                *(line for life in self.lives[-3:] for line in _read_tail(life)),
            ]
        )


def _read_tail(life: Life) -> list[str]:
    return ["", f"The end of {life.log_path}:", *life.read_log().splitlines()[-NUM_LAST_LINES:]]
