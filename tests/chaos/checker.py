"""Checker: verify every promise once the run has ended."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.chaos.client import Client
from tests.chaos.cluster import SERVICE, Life
from tests.chaos.history import History, Submission
from tests.chaos.logs import Work, find_ready_at
from tests.chaos.observer import Sighting
from tests.chaos.outcomes import RunOutcome, find_differences, read_outcomes
from tests.chaos.reference import References
from tests.chaos.violations import Violations

RUN_TABLES = {
    "runs": "id",
    "epoch_metrics": "run_id",
    "layer_statistics": "run_id",
    "checkpoints": "run_id",
    "test_predictions": "run_id",
}
UNFINISHED_JOB_STATES = ("DELAYED", "ENQUEUED", "PENDING")
# Around the moments when a worker comes and goes.
PRESENCE_MARGIN_SECONDS = 1.5
# Between reading where a run stands and beginning the epoch, and then some for a busy machine.
STALE_SECONDS = 2.0
# A worker looks twice a second whether a run is still its own; until then it goes on, in vain.
MAX_REDONE_PER_LOSS = 3


class Checker:
    """The checks; each adds what it finds to ``violations``."""

    def __init__(self, history: History, violations: Violations) -> None:
        self._kept = [one for one in history.submissions if one.deletion_asked_at is None]
        self._deleted = [one for one in history.submissions if one.deletion_asked_at is not None]
        self._violations = violations
        self.num_identical = 0
        self.num_cancelled = 0

    def check_experiments(self, client: Client) -> None:
        """Check that every accepted experiment exists exactly once, and no refused, deleted or other one."""
        listed: list[tuple[str, int]] = []
        cursor = ""
        while True:
            page = client.ask("GET", f"/experiments?limit=200{cursor}").json()
            listed += [(experiment["name"], experiment["id"]) for experiment in page["experiments"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        found, promised = Counter(listed), Counter((one.name, one.experiment_id) for one in self._kept)
        for name, id_ in (promised - found).elements():
            self._violations.add(f"{name} was accepted as experiment {id_} and is not there")
        for name, id_ in (found - promised).elements():
            self._violations.add(f"{name} is there as experiment {id_}, which nobody was promised")

    def check_deleted(self, client: Client) -> None:
        """Nothing answers under a deleted experiment's address."""
        for one in self._deleted:
            paths = [f"/experiments/{one.experiment_id}", *(f"/runs/{run_id}" for run_id in one.run_ids)]
            for path in paths:
                status = client.ask("GET", path).status_code
                if status != 404:
                    self._violations.add(f"{path} was deleted and answers {status}")

    def read_kept(self, client: Client) -> dict[str, list[RunOutcome]]:
        """The outcomes of all that was not deleted, by name."""
        return {one.name: read_outcomes(client, one.experiment_id) for one in self._kept}

    def check_outcomes(self, outcomes: dict[str, list[RunOutcome]], references: References) -> None:
        """Every run came to the end that was asked for, with the bits of an undisturbed one."""
        for one in self._kept:
            for outcome, reference in zip(outcomes[one.name], references[one.recipe], strict=True):
                self._check_outcome(one, outcome, reference)

    def _check_outcome(self, one: Submission, outcome: RunOutcome, reference: RunOutcome) -> None:
        what = f"run {outcome.run_id} of {one.name}"
        cancelled_epoch = one.cancelled_epochs.get(outcome.run_id)
        expected = (
            ("completed", outcome.num_epochs) if cancelled_epoch is None else ("cancelled", cancelled_epoch)
        )
        if (outcome.status, outcome.epoch) != expected:
            self._violations.add(f"{what} is {(outcome.status, outcome.epoch)} and should be {expected}")
        if outcome.curves["epochs"] != list(range(1, outcome.epoch + 1)):
            self._violations.add(f"{what} has the epochs {outcome.curves['epochs']}")
        differing = find_differences(outcome, reference)
        if differing:
            self._violations.add(f"{what} differs from an undisturbed one in {', '.join(differing)}")
        elif outcome.status == "completed":
            self.num_identical += 1
        else:
            self.num_cancelled += 1

    def check_work(self, work: Work, *, num_long_freezes: int) -> None:
        """No run was trained twice, but for what a worker has in hand when the run is taken from it."""
        submissions = {run_id: one for one in [*self._kept, *self._deleted] for run_id in one.run_ids}
        for run_id, num_redone in work.redone_by_run.items():
            one = submissions.get(run_id)
            num_losses = num_long_freezes + (one.num_resumes if one else 0)
            if num_redone > MAX_REDONE_PER_LOSS * num_losses:
                self._violations.add(
                    f"{num_redone} epochs of run {run_id} were trained twice; it was taken from a living "
                    f"worker {num_losses} times"
                )

    def check_starts(self, work: Work, recorded: dict[int, list[tuple[float, int]]]) -> None:
        """No attempt began before what was already there to be seen."""
        for start in work.starts:
            known_at = start.started_at - STALE_SECONDS
            seen = [epoch for at, epoch in recorded.get(start.run_id, []) if at < known_at]
            if seen and start.epoch <= max(seen):
                self._violations.add(
                    f"{start.life.name} began run {start.run_id} again with epoch {start.epoch}, although "
                    f"{max(seen)} were recorded"
                )

    def check_sightings(self, sightings: Sequence[Sighting], lives: Sequence[Life]) -> None:
        """Nothing was said to be running while no worker was there."""
        spans = [span for life in lives if life.module != SERVICE for span in _find_presence(life)]
        for seen in sightings:
            if not any(start <= seen.answered_at and seen.asked_at <= end for start, end in spans):
                self._violations.add(f"{seen.what} was said to be running while no worker was alive")

    def check_database(self, path: Path) -> None:
        """The file is sound, and holds nothing of what was deleted."""
        deleted = [run_id for one in self._deleted for run_id in one.run_ids]
        marks = ", ".join("?" * len(deleted))
        with closing(sqlite3.connect(path)) as connection:
            integrity = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            if integrity != ["ok"]:
                self._violations.add(f"the database is damaged: {integrity[:5]}")
            dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
            if dangling:
                self._violations.add(f"rows without their parents: {dangling[:5]}")
            for table, column in RUN_TABLES.items():
                query = f"SELECT count(*) FROM {table} WHERE {column} IN ({marks})"
                [count] = connection.execute(query, deleted).fetchone()
                if count:
                    self._violations.add(f"{count} rows of deleted runs are left in {table}")


def list_jobs(path: Path) -> list[str]:
    """Ids of the jobs that somebody has still to finish."""
    query = f"SELECT workflow_uuid FROM workflow_status WHERE status IN {UNFINISHED_JOB_STATES}"
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute(query)]


def _find_presence(life: Life) -> list[tuple[float, float]]:
    """When the worker was there to train; never, if it died long before it was ready."""
    ended_at = life.ended_at if life.ended_at is not None else float("inf")
    # One that dies as it gets ready may have been there, and not have come to say so.
    ready_at = find_ready_at(life) or ended_at
    return [(ready_at - PRESENCE_MARGIN_SECONDS, ended_at + PRESENCE_MARGIN_SECONDS)]
