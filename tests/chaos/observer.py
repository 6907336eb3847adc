"""Observer: read the service's answers all the time, and compare each with those before."""

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Any

from tests.chaos.client import Client
from tests.chaos.history import History, Submission
from tests.chaos.violations import Violations

PERIOD_SECONDS = 0.2
FINAL = ("completed", "failed", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """Something was said to be running, between the request and the answer."""

    what: str
    asked_at: float
    answered_at: float


class Observer:
    """Asks in one thread until told to stop."""

    def __init__(self, client: Client, history: History, violations: Violations) -> None:
        self._client = client
        self._history = history
        self._violations = violations
        self._turn = itertools.count()
        self._runs: dict[int, tuple[str, int]] = {}
        self._progress: dict[int, tuple[int, float]] = {}
        self._active: set[int] = set()
        self.sightings: list[Sighting] = []
        self.recorded: dict[int, list[tuple[float, int]]] = {}
        """Run id → when a later epoch of it was seen than before, and which."""

    def run(self, stop: threading.Event) -> None:
        """Look at the list, at one experiment and at one of its runs, round by round."""
        while not stop.wait(PERIOD_SECONDS):
            self._look_at_list()
            submissions = self._choose_submissions()
            if submissions:
                submission = submissions[next(self._turn) % len(submissions)]
                self._look_at_experiment(submission)
                self._look_at_run(submission)

    def _choose_submissions(self) -> list[Submission]:
        """Those that move, and every few rounds any."""
        submissions = list(self._history.submissions)
        if next(self._turn) % 4 == 0:
            return submissions
        return [one for one in submissions if one.experiment_id in self._active]

    def _look_at_list(self) -> None:
        asked_at = time.time()
        # An experiment must have been accepted before it is requested.
        expected = [one for one in list(self._history.submissions) if one.deletion_asked_at is None]
        answer = self._client.ask_once("GET", "/experiments?limit=200")
        if answer is None or answer.status_code != 200:
            return
        listed = {experiment["id"]: experiment for experiment in answer.json()["experiments"]}
        for one in expected:
            if one.experiment_id not in listed and one.deletion_asked_at is None:
                self._violations.add(f"experiment {one.experiment_id} is not listed any more")
        self._active = {id_ for id_, one in listed.items() if one["status"] in ("running", "queued")}
        for experiment in listed.values():
            self._note_experiment(experiment, asked_at=asked_at)

    def _note_experiment(self, experiment: dict[str, Any], *, asked_at: float) -> None:
        id_, counts = experiment["id"], experiment["num_runs_by_status"]
        if counts.get("running"):
            self._note_running(f"a run of experiment {id_}", asked_at=asked_at)
        if counts.get("failed"):
            self._violations.add(f"experiment {id_} has a failed run")
        # Each of the two can only grow.
        now = (sum(counts.get(status, 0) for status in FINAL), experiment["progress"])
        before = self._progress.setdefault(id_, now)
        if now[0] < before[0] or now[1] < before[1]:
            self._violations.add(f"experiment {id_} went back from {before} to {now} (final runs, progress)")
        self._progress[id_] = now

    def _look_at_experiment(self, submission: Submission) -> None:
        answer, asked_at = self._get(f"/experiments/{submission.experiment_id}", submission)
        for run in answer["runs"] if answer else []:
            self._note_run(run, asked_at=asked_at)

    def _look_at_run(self, submission: Submission) -> None:
        run_id = submission.run_ids[next(self._turn) % len(submission.run_ids)]
        run, asked_at = self._get(f"/runs/{run_id}", submission)
        if run:
            self._note_run(run, asked_at=asked_at)

    def _get(self, path: str, submission: Submission) -> tuple[dict[str, Any] | None, float]:
        asked_at = time.time()
        answer = self._client.ask_once("GET", path)
        if answer is None or answer.status_code >= 500:
            return None, asked_at
        if answer.status_code == 404:
            if submission.deletion_asked_at is None:
                self._violations.add(f"{path} is not there, though nobody deleted it")
            return None, asked_at
        if submission.deleted_at is not None and submission.deleted_at < asked_at:
            self._violations.add(f"{path} is there, though it was deleted")
        found: dict[str, Any] = answer.json()
        return found, asked_at

    def _note_run(self, run: dict[str, Any], *, asked_at: float) -> None:
        what = f"run {run['id']}"
        now = (run["status"], run["epoch"])
        before = self._runs.setdefault(run["id"], now)
        if now[1] > before[1] or run["id"] not in self.recorded:
            self.recorded.setdefault(run["id"], []).append((time.time(), now[1]))
        if now[1] < before[1]:
            self._violations.add(f"{what} went back from epoch {before[1]} to {now[1]}")
        if before[0] in FINAL and now != before:
            self._violations.add(f"{what} was {before} for good, and then {now} (status, epoch)")
        if now[0] == "failed":
            self._violations.add(f"{what} failed: {run['error']}")
        if now[0] == "running":
            self._note_running(what, asked_at=asked_at)
        self._runs[run["id"]] = now

    def _note_running(self, what: str, *, asked_at: float) -> None:
        self.sightings.append(Sighting(what=what, asked_at=asked_at, answered_at=time.time()))
