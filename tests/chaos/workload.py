"""Workload: submit, pause, resume, cancel and delete at random, and read the answers."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.chaos.backup import Backup
from tests.chaos.catalog import draw_refused
from tests.chaos.client import Client
from tests.chaos.generator import ShuffledGenerator
from tests.chaos.history import History, Submission
from tests.chaos.violations import Violations

# So many unfinished runs keep two workers busy; more would only be waited for at the end.
MAX_OPEN_RUNS = 4
MAX_THINKING_SECONDS = 1.2
# Longer than an epoch.
BACKUP_SECONDS = 2.0
MAX_CANCELLED_SHARE = 0.25
MAX_DELETED_SHARE = 0.15

SETTLED = frozenset({"completed", "cancelled", "failed"})


class Workload:
    """Acts in one thread until told to stop; everything is asked for until it is answered."""

    def __init__(
        self,
        client: Client,
        history: History,
        *,
        catalog: list[dict[str, Any]],
        backup: Backup,
        rng: random.Random,
        violations: Violations,
    ) -> None:
        self._client = client
        self._history = history
        self._catalog = ShuffledGenerator(rng, list(range(len(catalog))))
        self._bodies = catalog
        self._backup = backup
        self._rng = rng
        self._violations = violations
        self._num_names = 0
        actions: list[Callable[[], None]] = [
            *[self._submit] * 6,
            *[self._pause] * 4,
            *[self._resume] * 3,
            *[self._cancel] * 2,
            self._delete,
            self._submit_again,
            self._submit_nonsense,
        ]
        self._actions = ShuffledGenerator(rng, actions)

    def run(self, stop: threading.Event) -> None:
        """Do one thing after another; the first experiments are submitted at once."""
        while not stop.is_set():
            (self._submit if len(self._history.submissions) < 3 else self._actions.draw())()
            stop.wait(self._rng.uniform(0.0, MAX_THINKING_SECONDS))

    def _submit(self) -> None:
        if self._count_open_runs() >= MAX_OPEN_RUNS:
            return
        recipe = self._catalog.draw()
        name = self._make_name()
        body = {**self._bodies[recipe], "name": name, "priority": self._rng.choice((0, 0, 0, 5, -5))}
        key = f"key of {name}"
        answer = self._client.ask("POST", "/experiments", body=body, key=key)
        if not self._expect(answer.status_code == 202, f"{name} was refused: {answer.text[:300]}"):
            return
        experiment = answer.json()
        self._history.submissions.append(
            Submission(
                name=name,
                key=key,
                body=body,
                recipe=recipe,
                experiment_id=experiment["id"],
                run_ids=[run["id"] for run in experiment["runs"]],
                accepted_at=time.time(),
            )
        )
        self._history.counts["submitted"] += 1

    def _submit_again(self) -> None:
        """With the same key: the same experiment, or none if the body is another or it was deleted."""
        kept = [one for one in self._history.submissions if one.deletion_asked_at is None]
        if not kept:
            return
        submission = self._rng.choice(kept)
        answer = self._client.ask("POST", "/experiments", body=submission.body, key=submission.key)
        is_same = answer.status_code == 202 and answer.json()["id"] == submission.experiment_id
        self._expect(is_same, f"{submission.name} sent again was answered {answer.text[:300]}")
        other = {**submission.body, "name": self._make_name(is_refused=True)}
        answer = self._client.ask("POST", "/experiments", body=other, key=submission.key)
        self._expect(answer.status_code == 409, f"a used key was taken for {other['name']}")
        self._history.counts["submitted again"] += 1

    def _submit_nonsense(self) -> None:
        body = {**draw_refused(self._rng), "name": self._make_name(is_refused=True)}
        answer = self._client.ask("POST", "/experiments", body=body, key=f"key of {body['name']}")
        self._expect(answer.status_code == 422, f"{body} was answered {answer.status_code}")
        self._history.counts["refused"] += 1

    def _pause(self) -> None:
        submission = self._choose(is_paused=False)
        if submission is None:
            return
        submission.is_paused = True
        self._control(submission, "pause", allowed=SETTLED | {"paused"})
        if self._rng.random() < 0.5:
            # At once, so that the worker has had no time to notice that the run was taken from it.
            self._resume_one(submission)

    def _resume(self) -> None:
        submission = self._choose(is_paused=True)
        if submission is not None:
            answer = self._client.ask("GET", f"/experiments/{submission.experiment_id}")
            self._check_statuses(submission, answer.json()["runs"], SETTLED | {"paused"}, what="left paused")
            self._resume_one(submission)

    def _resume_one(self, submission: Submission) -> None:
        # However often it is requested, the runs of one resumption get one job; a second finds none paused.
        submission.num_resumes += 1
        submission.is_paused = False
        self._control(submission, "resume", allowed=SETTLED | {"queued", "running"})

    def _cancel(self) -> None:
        submission = self._choose() if self._may_end(MAX_CANCELLED_SHARE, "cancel") else None
        if submission is None:
            return
        submission.is_cancelled = True
        if self._rng.random() < 0.6:
            # Its worker then waits to record an epoch of a run that is not its own any more.
            with self._backup.let_pass(BACKUP_SECONDS):
                runs = self._control(submission, "cancel", allowed=SETTLED)
        else:
            runs = self._control(submission, "cancel", allowed=SETTLED)
        submission.cancelled_epochs = {
            run["id"]: run["epoch"] for run in runs if run["status"] == "cancelled"
        }
        if self._rng.random() < 0.5:
            self._control(submission, "resume", allowed=SETTLED)

    def _delete(self) -> None:
        if not self._may_end(MAX_DELETED_SHARE, "deleted"):
            return
        submission = self._choose(is_paused=self._rng.choice((True, False))) or self._choose()
        if submission is None:
            return
        submission.deletion_asked_at = time.time()
        path = f"/experiments/{submission.experiment_id}"
        for _ in range(self._rng.choice((1, 2))):
            answer = self._client.ask("DELETE", path)
            # 404: deleted by a request whose answer was lost, or by the first of the two.
            self._expect(answer.status_code in (204, 404), f"DELETE {path}: {answer.status_code}")
        submission.deleted_at = time.time()
        self._history.counts["deleted"] += 1

    def _control(self, submission: Submission, verb: str, *, allowed: frozenset[str]) -> list[dict[str, Any]]:
        """Ask once or twice; give the runs as they were last answered."""
        runs: list[dict[str, Any]] = []
        for _ in range(self._rng.choice((1, 1, 2))):
            answer = self._client.ask("POST", f"/experiments/{submission.experiment_id}/{verb}")
            if self._expect(answer.status_code == 200, f"{verb} {submission.name}: {answer.text[:300]}"):
                runs = answer.json()["runs"]
                self._check_statuses(submission, runs, allowed, what=f"answered to {verb}")
        self._history.counts[verb] += 1
        return runs

    def _check_statuses(
        self, submission: Submission, runs: list[dict[str, Any]], allowed: frozenset[str], *, what: str
    ) -> None:
        statuses = {run["id"]: run["status"] for run in runs}
        self._expect(set(statuses.values()) <= allowed, f"{submission.name}, {what}, has runs {statuses}")

    def _choose(self, *, is_paused: bool | None = None) -> Submission | None:
        """An open experiment, rather one that is being trained: there is more to go wrong."""
        chosen = [
            one
            for one in self._history.submissions
            if one.is_open and (is_paused is None or one.is_paused == is_paused)
        ]
        running = self._list_ids("running")
        preferred = [one for one in chosen if one.experiment_id in running]
        unfinished = [one for one in chosen if one.experiment_id in running | self._list_ids("queued")]
        candidates = preferred or unfinished or (chosen if is_paused else [])
        return self._rng.choice(candidates) if candidates else None

    def _may_end(self, share: float, count: str) -> bool:
        """True if enough is left to be trained to its end."""
        return self._history.counts[count] < share * len(self._history.submissions)

    def _list_ids(self, status: str) -> set[int]:
        answer = self._client.ask("GET", f"/experiments?limit=200&status={status}")
        return {experiment["id"] for experiment in answer.json()["experiments"]}

    def _count_open_runs(self) -> int:
        listed = self._client.ask("GET", "/experiments?limit=200").json()["experiments"]
        counts = [experiment["num_runs_by_status"] for experiment in listed]
        return sum(count.get("running", 0) + count.get("queued", 0) for count in counts)

    def _make_name(self, *, is_refused: bool = False) -> str:
        self._num_names += 1
        name = f"chaos {self._num_names:03d}"
        if is_refused:
            self._history.refused_names.append(name)
        return name

    def _expect(self, is_kept: bool, sentence: str) -> bool:
        if not is_kept:
            self._violations.add(sentence)
        return is_kept
