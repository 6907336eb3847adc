"""Nemesis: kill, stop and freeze the processes, and restart them as ``make run`` and Compose do."""

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing

from tests.chaos.cluster import SERVICE, WORKERS, Cluster
from tests.chaos.generator import ShuffledGenerator

# A worker takes ten seconds from its start to its first epoch when both cores are busy.
PROGRESS_TIMEOUT_SECONDS = 20.0
REQUEST_TIMEOUT_SECONDS = 5.0
MAX_RESTART_SECONDS = 2.0
MAX_REST_SECONDS = 2.0
# Below what makes a worker's silence count (lab.workforce.SILENT_SECONDS).
SHORT_FREEZE_SECONDS = (1.0, 8.0)
# Above lab.workforce.ABANDONED_SECONDS: the worker comes back to find its run given away.
LONG_FREEZE_SECONDS = 75.0
# So long before the end others are left alone, to be there when it is time to take the run.
TAKEOVER_SECONDS = 35.0
# A run is given up after five deaths without a checkpoint. Two that may be in vain, and then one that is
# not, keep well below that whatever the order in which the runs are taken.
MAX_BARREN_KILLS = 2


class Nemesis:
    """Acts in one thread until told to stop; leaves living and frozen processes behind."""

    def __init__(
        self, cluster: Cluster, *, rng: random.Random, in_flight: threading.Event, freezes_long: bool
    ) -> None:
        self._cluster = cluster
        self._rng = rng
        self._in_flight = in_flight
        self._stop = threading.Event()
        self._num_barren = 0
        self._long_freezes_left = int(freezes_long)
        self.counts: Counter[str] = Counter()
        self.termination_seconds: list[float] = []
        actions: list[Callable[[], None]] = [
            *[self._kill_worker] * 4,
            *[self._kill_service_over_request] * 2,
            self._kill_service,
            self._terminate_worker,
            self._freeze_worker,
            self._kill_all_workers,
        ]
        self._actions = ShuffledGenerator(rng, actions)

    def run(self, stop: threading.Event) -> None:
        """Do harm after harm, with rests too short to settle down."""
        self._stop = stop
        while not stop.is_set():
            self._actions.draw()()
            if self._long_freezes_left and self.counts["workers killed"] >= 4:
                self._long_freezes_left -= 1
                self._freeze_worker_long()
            self._pause(0.0, MAX_REST_SECONDS)

    def _kill_worker(self, node: str | None = None) -> None:
        node = node or self._rng.choice(WORKERS)
        if not self._wait_for_prey(node):
            return
        self._pause(0.0, 1.0)
        self._kill(node)
        self._pause(0.0, MAX_RESTART_SECONDS)
        self._cluster.start(node)
        if self._rng.random() < 0.25:
            self._pause(0.5, 5.0)
            if not self._cluster.get(node).is_ready():
                self._kill(node)
                self.counts["workers killed while starting"] += 1
                self._cluster.start(node)

    def _kill_all_workers(self) -> None:
        if not all(self._wait_for_prey(node) for node in WORKERS):
            return
        for node in WORKERS:
            self._kill(node)
        self.counts["times without any worker"] += 1
        self._pause(3.0, 5.0)
        for node in WORKERS:
            self._cluster.start(node)

    def _kill_service(self) -> None:
        if not self._wait_until(self._cluster.get(SERVICE).is_ready, PROGRESS_TIMEOUT_SECONDS):
            return
        self._kill(SERVICE)
        self._pause(0.0, MAX_RESTART_SECONDS)
        self._cluster.start(SERVICE)

    def _kill_service_over_request(self) -> None:
        """Somewhere between the arrival of a change and its answer."""
        if self._wait_until(self._in_flight.is_set, REQUEST_TIMEOUT_SECONDS):
            self._pause(0.0, 0.05)
            self._kill_service()

    def _terminate_worker(self) -> None:
        node = self._rng.choice(WORKERS)
        # Before it is ready Python ends it by the signal, as any process that is only being loaded.
        if not self._wait_until(self._cluster.get(node).is_ready, PROGRESS_TIMEOUT_SECONDS):
            return
        self._pause(0.0, 2.0)
        self.termination_seconds.append(self._cluster.terminate(node))
        self.counts["workers stopped by SIGTERM"] += 1
        self._pause(0.0, MAX_RESTART_SECONDS)
        self._cluster.start(node)

    def _freeze_worker(self) -> None:
        frozen, other = self._rng.sample(WORKERS, 2)
        self._cluster.freeze(frozen)
        self.counts["workers frozen"] += 1
        if self._rng.random() < 0.4:
            self._kill_worker(other)
        self._pause(*SHORT_FREEZE_SECONDS)
        if self._rng.random() < 0.25 and self._cluster.get(frozen).has_recorded():
            self._kill(frozen)
            self._cluster.start(frozen)
        else:
            self._cluster.thaw(frozen)

    def _freeze_worker_long(self) -> None:
        """Until others have its run; meanwhile those others die too."""
        frozen, other = self._rng.sample(WORKERS, 2)
        if not self._freeze_without_lock(frozen):
            return
        self.counts["workers frozen until given up"] += 1
        until = time.monotonic() + LONG_FREEZE_SECONDS
        while time.monotonic() < until - TAKEOVER_SECONDS and not self._stop.is_set():
            self._kill_worker(other)
            self._pause(3.0, 6.0)
        self._stop.wait(until - time.monotonic())
        self._cluster.thaw(frozen)

    def _freeze_without_lock(self, node: str) -> bool:
        """Freeze a busy worker, but not inside a write: SQLite has one lock, and who holds it stops all."""

        def is_frozen_well() -> bool:
            self._cluster.freeze(node)
            if _can_write(self._cluster):
                return True
            self._cluster.thaw(node)
            return False

        busy = self._wait_until(self._cluster.get(node).has_recorded, PROGRESS_TIMEOUT_SECONDS)
        return busy and self._wait_until(is_frozen_well, PROGRESS_TIMEOUT_SECONDS)

    def _kill(self, node: str) -> None:
        self._cluster.kill(node)
        self.counts["services killed" if node == SERVICE else "workers killed"] += 1

    def _wait_for_prey(self, node: str) -> bool:
        """Until the worker has recorded something since its start, or, now and then, has only started."""
        life = self._cluster.get(node)
        if self._num_barren < MAX_BARREN_KILLS and self._rng.random() < 0.25:
            self._num_barren += 1
            return self._wait_until(life.is_ready, PROGRESS_TIMEOUT_SECONDS)
        self._num_barren = 0
        return self._wait_until(life.has_recorded, PROGRESS_TIMEOUT_SECONDS)

    def _wait_until(self, is_so: Callable[[], bool], timeout_seconds: float) -> bool:
        """Wait for a condition; true if it holds in time and the run is not over."""
        deadline = time.monotonic() + timeout_seconds
        while not is_so():
            if time.monotonic() > deadline or self._stop.wait(0.02):
                return False
        return not self._stop.is_set()

    def _pause(self, least: float, most: float) -> None:
        self._stop.wait(self._rng.uniform(least, most))


def _can_write(cluster: Cluster) -> bool:
    with closing(sqlite3.connect(cluster.database_path, timeout=1.0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
    return True
