"""One chaos run: start everything, do harm for a while, let it come to rest, look at what is left."""

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
from tests.chaos.courier import Courier
from tests.chaos.crew import SEATS, SERVICE, WORKERS, Crew
from tests.chaos.ledger import Ledger
from tests.chaos.logs import read_work
from tests.chaos.observer import Observer
from tests.chaos.reference import References, train_references
from tests.chaos.report import Report
from tests.chaos.saboteur import Saboteur
from tests.chaos.user import SETTLED, User
from tests.chaos.verification import Verification, list_jobs
from tests.chaos.violations import Violations
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
    """How long to do harm, by which throws of the dice."""

    seed: int
    seconds: float

    @property
    def catalog_size(self) -> int:
        """How many different experiments there are; each costs some seconds to train undisturbed."""
        return 4 if self.seconds < LONG_FREEZE_MIN_SECONDS else 12

    def make_rng(self, purpose: str) -> random.Random:
        """The dice for one purpose, the same for the same seed whatever the others throw."""
        return random.Random(f"{self.seed}/{purpose}")


class Storm:
    """The parts of one chaos run, on a database in ``folder``."""

    def __init__(self, plan: Plan, *, folder: Path) -> None:
        self._plan = plan
        self._violations = Violations()
        self._phases: dict[str, float] = {}
        self._ledger = Ledger()
        self._seats = list(SEATS)
        self._is_settled = threading.Event()
        self._crew = Crew(folder, self._violations)
        self._catalog = draw_catalog(plan.make_rng("catalog"), size=plan.catalog_size)
        self._user_courier, self._observer_courier = self._make_courier(), self._make_courier()
        self._user = User(
            self._user_courier,
            self._ledger,
            catalog=self._catalog,
            backup=Backup(self._crew.database_path),
            rng=plan.make_rng("user"),
            violations=self._violations,
        )
        self._observer = Observer(self._observer_courier, self._ledger, self._violations)
        self._saboteur = Saboteur(
            self._crew,
            rng=plan.make_rng("saboteur"),
            in_flight=self._user_courier.in_flight,
            freezes_long=plan.seconds >= LONG_FREEZE_MIN_SECONDS,
        )

    def run(self) -> Report:
        """Do it all; what goes wrong on the way is in the report."""
        verification = Verification(self._ledger, self._violations)
        try:
            with self._blame():
                self._rage()
            with ThreadPoolExecutor(1) as aside:
                # One worker is dead by now, and leaves its core to the references.
                references = aside.submit(train_references, self._catalog, self._list_recipes())
                with self._time("coming to rest"), self._blame():
                    self._settle()
                verification = Verification(self._ledger, self._violations)
                with self._time("verification"), self._blame():
                    self._verify(verification, references)
        finally:
            self._is_settled.set()
            self._crew.stop()
        return Report(
            seed=self._plan.seed,
            phases=self._phases,
            violations=self._violations.list(),
            counts=self._saboteur.counts + self._ledger.counts + self._user_courier.counts,
            num_answers_seen=self._observer_courier.counts["answers"],
            num_runs=sum(len(one.run_ids) for one in self._ledger.submissions),
            num_identical=verification.num_identical,
            num_cancelled=verification.num_cancelled,
            termination_seconds=self._saboteur.termination_seconds,
            work=read_work(self._crew.lives),
            lives=self._crew.lives,
        )

    def _rage(self) -> None:
        """Do harm for the planned time."""
        over = threading.Event()
        for seat in SEATS:
            self._crew.start(seat)
        self._start_thread(self._observer.run, self._is_settled)
        user = self._start_thread(self._user.run, over)
        saboteur = self._start_thread(self._saboteur.run, over)
        try:
            with self._time("chaos"), self._blame():
                over.wait(self._plan.seconds)
                wait_until(
                    self._has_seen_enough, timeout_seconds=MAX_EXTRA_SECONDS, what="enough harm is done"
                )
            over.set()
            saboteur.join()
            self._bury_worker()
            # Before the user is waited for, who may want an answer of a service that was left dead.
            self._crew.restore(self._seats)
            user.join()
        finally:
            over.set()

    def _bury_worker(self) -> None:
        """Kill one for good, rather one with a run in hand: that is the other one's to finish."""
        busy = [seat for seat in WORKERS if self._crew.get(seat).is_ready()]
        buried = self._plan.make_rng("grave").choice(busy or WORKERS)
        self._crew.kill(buried)
        self._seats.remove(buried)

    def _has_seen_enough(self) -> bool:
        """Whether it was chaos; a machine that is busy with other things needs longer for it."""
        counts = self._saboteur.counts
        is_enough = counts["workers killed"] >= MIN_WORKER_KILLS and counts["services killed"] >= 1
        return (is_enough and len(self._ledger.submissions) >= MIN_SUBMISSIONS) or self._rest()

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
        for one in self._ledger.submissions:
            if one.is_open and one.is_paused:
                one.num_resumes += 1
                self._user_courier.ask("POST", f"/experiments/{one.experiment_id}/resume")

        def is_settled() -> bool:
            self._crew.restore(self._seats)
            listed = self._user_courier.ask("GET", "/experiments?limit=200").json()["experiments"]
            return all(one["status"] in SETTLED for one in listed) or self._rest()

        def is_queue_empty() -> bool:
            return not list_jobs(self._crew.database_path) or self._rest()

        wait_until(is_settled, timeout_seconds=SETTLE_TIMEOUT_SECONDS, what="all runs are done")
        wait_until(is_queue_empty, timeout_seconds=QUEUE_TIMEOUT_SECONDS, what="the queue is empty")
        self._is_settled.set()

    def _list_recipes(self) -> set[int]:
        return {one.recipe for one in self._ledger.submissions if one.deletion_asked_at is None}

    def _verify(self, verification: Verification, references: Future[References]) -> None:
        courier = self._user_courier
        verification.check_experiments(courier)
        verification.check_deleted(courier)
        outcomes = verification.read_kept(courier)
        self._saboteur.termination_seconds += [
            self._crew.terminate(seat) for seat in self._seats if seat in WORKERS
        ]
        self._crew.kill(SERVICE)
        verification.check_database(self._crew.database_path)
        num_long_freezes = self._saboteur.counts["workers frozen until given up"]
        work = read_work(self._crew.lives)
        verification.check_work(work, num_long_freezes=num_long_freezes)
        verification.check_starts(work, self._observer.recorded)
        verification.check_sightings(self._observer.sightings, self._crew.lives)
        verification.check_outcomes(outcomes, references.result())

    @staticmethod
    def _rest() -> bool:
        """Not yet; False, after a while."""
        return threading.Event().wait(REST_SECONDS)

    def _make_courier(self) -> Courier:
        return Courier(str(self._crew.processes.client.base_url), self._violations)
