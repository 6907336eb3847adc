"""One chaos run: start everything, disturb it for a while, let it settle, check the result."""

import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.backup import Backup
from tests.chaos.catalog import draw_catalog
from tests.chaos.checker import Checker, list_jobs
from tests.chaos.client import Client
from tests.chaos.cluster import NODES, SERVICE, WORKERS, Cluster
from tests.chaos.history import History
from tests.chaos.logs import read_work
from tests.chaos.nemesis import Nemesis
from tests.chaos.observer import Observer
from tests.chaos.reference import References, train_references
from tests.chaos.report import Report
from tests.chaos.violations import Violations
from tests.chaos.workload import SETTLED, Workload
from tests.waiting import wait_until

MIN_WORKER_KILLS = 2
MIN_SUBMISSIONS = 5
MAX_EXTRA_SECONDS = 180.0
SETTLE_TIMEOUT_SECONDS = 240.0
QUEUE_TIMEOUT_SECONDS = 30.0
# Between two questions whether all is done, which is not to cost those who do it much.
REST_SECONDS = 0.3
# A worker frozen until it is given up costs more than a minute.
LONG_FREEZE_MIN_SECONDS = 200.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Duration and seed of a chaos run."""

    seed: int
    seconds: float

    @property
    def catalog_size(self) -> int:
        """Number of different experiments; each takes some seconds to train undisturbed."""
        return 4 if self.seconds < LONG_FREEZE_MIN_SECONDS else 12

    def make_rng(self, purpose: str) -> random.Random:
        """Make the random numbers for one purpose, the same for the same seed whatever the others draw."""
        return random.Random(f"{self.seed}/{purpose}")


class ChaosRun:
    """The parts of one chaos run, on a database in ``folder``."""

    def __init__(self, plan: Plan, *, folder: Path) -> None:
        self._plan = plan
        self._violations = Violations()
        self._phases: dict[str, float] = {}
        self._history = History()
        self._nodes = list(NODES)
        self._is_settled = threading.Event()
        self._cluster = Cluster(folder, self._violations)
        self._catalog = draw_catalog(plan.make_rng("catalog"), size=plan.catalog_size)
        self._workload_client, self._observer_client = self._make_courier(), self._make_courier()
        self._workload = Workload(
            self._workload_client,
            self._history,
            catalog=self._catalog,
            backup=Backup(self._cluster.database_path),
            rng=plan.make_rng("user"),
            violations=self._violations,
        )
        self._observer = Observer(self._observer_client, self._history, self._violations)
        self._nemesis = Nemesis(
            self._cluster,
            rng=plan.make_rng("nemesis"),
            in_flight=self._workload_client.in_flight,
            freezes_long=plan.seconds >= LONG_FREEZE_MIN_SECONDS,
        )

    def run(self) -> Report:
        """Do it all; what goes wrong on the way is in the report."""
        checker = Checker(self._history, self._violations)
        try:
            with self._blame():
                self._disturb()
            with ThreadPoolExecutor(1) as aside:
                # One worker is dead by now, and leaves its core to the references.
                references = aside.submit(train_references, self._catalog, self._list_recipes())
                with self._time("coming to rest"), self._blame():
                    self._settle()
                checker = Checker(self._history, self._violations)
                with self._time("checker"), self._blame():
                    self._verify(checker, references)
        finally:
            self._is_settled.set()
            self._cluster.stop()
        return Report(
            seed=self._plan.seed,
            phases=self._phases,
            violations=self._violations.list(),
            counts=self._nemesis.counts + self._history.counts + self._workload_client.counts,
            num_answers_seen=self._observer_client.counts["answers"],
            num_runs=sum(len(one.run_ids) for one in self._history.submissions),
            num_identical=checker.num_identical,
            num_cancelled=checker.num_cancelled,
            termination_seconds=self._nemesis.termination_seconds,
            work=read_work(self._cluster.lives),
            lives=self._cluster.lives,
        )

    def _disturb(self) -> None:
        """Disturb the processes for the planned time."""
        over = threading.Event()
        for node in NODES:
            self._cluster.start(node)
        self._start_thread(self._observer.run, self._is_settled)
        workload = self._start_thread(self._workload.run, over)
        nemesis = self._start_thread(self._nemesis.run, over)
        try:
            with self._time("chaos"), self._blame():
                over.wait(self._plan.seconds)
                wait_until(
                    self._has_seen_enough, timeout_seconds=MAX_EXTRA_SECONDS, what="enough harm is done"
                )
            over.set()
            nemesis.join()
            self._kill_worker_for_good()
            # Before the user is waited for, who may want an answer of a service that was left dead.
            self._cluster.restore(self._nodes)
            workload.join()
        finally:
            over.set()

    def _kill_worker_for_good(self) -> None:
        """Kill one worker for good, preferably one that trains: the other must finish its run."""
        busy = [node for node in WORKERS if self._cluster.get(node).is_ready()]
        killed = self._plan.make_rng("grave").choice(busy or WORKERS)
        self._cluster.kill(killed)
        self._nodes.remove(killed)

    def _has_seen_enough(self) -> bool:
        """Return whether there was enough disturbance; a busy machine needs longer for it."""
        counts = self._nemesis.counts
        is_enough = counts["workers killed"] >= MIN_WORKER_KILLS and counts["services killed"] >= 1
        return (is_enough and len(self._history.submissions) >= MIN_SUBMISSIONS) or self._rest()

    def _start_thread(
        self, work: Callable[[threading.Event], None], stop: threading.Event
    ) -> threading.Thread:
        def work_blamed() -> None:
            with self._blame():
                work(stop)

        thread = threading.Thread(target=work_blamed, daemon=True)
        thread.start()
        return thread

    @contextmanager
    def _time(self, phase: str) -> Iterator[None]:
        started_at = time.monotonic()
        yield
        self._phases[phase] = time.monotonic() - started_at

    @contextmanager
    def _blame(self) -> Iterator[None]:
        """Whatever breaks in the block is a violation: the rest can still be looked at."""
        try:
            yield
        except Exception:
            self._violations.add(traceback.format_exc())

    def _settle(self) -> None:
        for one in self._history.submissions:
            if one.is_open and one.is_paused:
                one.num_resumes += 1
                self._workload_client.ask("POST", f"/experiments/{one.experiment_id}/resume")

        def is_settled() -> bool:
            self._cluster.restore(self._nodes)
            listed = self._workload_client.ask("GET", "/experiments?limit=200").json()["experiments"]
            return all(one["status"] in SETTLED for one in listed) or self._rest()

        def is_queue_empty() -> bool:
            return not list_jobs(self._cluster.database_path) or self._rest()

        wait_until(is_settled, timeout_seconds=SETTLE_TIMEOUT_SECONDS, what="all runs are done")
        wait_until(is_queue_empty, timeout_seconds=QUEUE_TIMEOUT_SECONDS, what="the queue is empty")
        self._is_settled.set()

    def _list_recipes(self) -> set[int]:
        return {one.recipe for one in self._history.submissions if one.deletion_asked_at is None}

    def _verify(self, checker: Checker, references: Future[References]) -> None:
        client = self._workload_client
        checker.check_experiments(client)
        checker.check_deleted(client)
        outcomes = checker.read_kept(client)
        self._nemesis.termination_seconds += [
            self._cluster.terminate(node) for node in self._nodes if node in WORKERS
        ]
        self._cluster.kill(SERVICE)
        checker.check_database(self._cluster.database_path)
        num_long_freezes = self._nemesis.counts["workers frozen until given up"]
        work = read_work(self._cluster.lives)
        checker.check_work(work, num_long_freezes=num_long_freezes)
        checker.check_starts(work, self._observer.recorded)
        checker.check_sightings(self._observer.sightings, self._cluster.lives)
        checker.check_outcomes(outcomes, references.result())

    @staticmethod
    def _rest() -> bool:
        """Not yet; False, after a while."""
        return threading.Event().wait(REST_SECONDS)

    def _make_courier(self) -> Client:
        return Client(str(self._cluster.processes.client.base_url), self._violations)
