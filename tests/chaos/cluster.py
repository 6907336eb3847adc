"""Cluster of a chaos run: a service and two workers, each restarted when it dies."""

import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.violations import Violations
from tests.processes import Processes

SERVICE = "service"
WORKERS = ("left", "right")
NODES = (SERVICE, *WORKERS)

_READY = {SERVICE: re.compile(r"Uvicorn running on"), "worker": re.compile(r"INFO worker: \S+ ready on")}
_EPOCH = re.compile(r"INFO worker\.jobs: run \d+ \(.*\): epoch \d+ of \d+,")


@dataclass(kw_only=True)
class Life:
    """One process from its start to its death, by the clock that the logs are written by."""

    module: str
    log_path: Path
    started_at: float
    ended_at: float | None = None
    is_frozen: bool = False

    @property
    def name(self) -> str:
        """Name of the process and of its log."""
        return self.log_path.stem

    def read_log(self) -> str:
        """Its log so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def is_ready(self) -> bool:
        """True once it answers, or takes jobs."""
        return _READY[self.module].search(self.read_log()) is not None

    def has_recorded(self) -> bool:
        """True once it has recorded an epoch."""
        return _EPOCH.search(self.read_log()) is not None


class Cluster:
    """Three nodes, and who sat in them when. One thread at a time may use it."""

    def __init__(self, folder: Path, violations: Violations) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.processes = Processes(folder)
        self.lives: list[Life] = []
        self._violations = violations
        self._seated: dict[str, Life] = {}

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self.processes.folder / "lab.db"

    def get(self, node: str) -> Life:
        """Who sits there now, or sat there last."""
        return self._seated[node]

    def start(self, node: str) -> None:
        """Start a process in an empty node."""
        module = SERVICE if node == SERVICE else "worker"
        name = f"{node}-{sum(life.name.startswith(node) for life in self.lives) + 1:02d}"
        life = Life(module=module, log_path=self.processes.folder / f"{name}.log", started_at=time.time())
        self.processes.start(module, name=name)
        self.lives.append(life)
        self._seated[node] = life

    def kill(self, node: str) -> None:
        """End it at once, without a chance to lay anything down."""
        if self._is_taken(node):
            self.processes.kill(self.get(node).name)
            self.get(node).ended_at = time.time()

    def terminate(self, node: str) -> float:
        """Ask a worker to end and give how long it took; it must exit with 0 by itself."""
        life = self.get(node)
        if not self._is_taken(node):
            return 0.0
        asked_at = time.time()
        try:
            status = self.processes.send(life.name, signal.SIGTERM)
        except subprocess.TimeoutExpired:
            status = self.processes.send(life.name, signal.SIGKILL)
        life.ended_at = time.time()
        if status != 0:
            self._violations.add(f"{life.name} exited with {status} when it was asked to end by SIGTERM")
        return life.ended_at - asked_at

    def freeze(self, node: str) -> None:
        """Stop it where it is, as a laptop's lid or a debugger does."""
        self.processes.nudge(self.get(node).name, signal.SIGSTOP)
        self.get(node).is_frozen = True

    def thaw(self, node: str) -> None:
        """Let it go on as if nothing had been."""
        self.processes.nudge(self.get(node).name, signal.SIGCONT)
        self.get(node).is_frozen = False

    def restore(self, nodes: Sequence[str]) -> None:
        """Have a living process in each of the nodes; a process that ended by itself is a violation."""
        for node in nodes:
            if node in self._seated and self._is_taken(node):
                if self.get(node).is_frozen:
                    self.thaw(node)
            else:
                self.start(node)

    def stop(self) -> None:
        """Kill whoever is left."""
        self.processes.stop()

    def _is_taken(self, node: str) -> bool:
        life = self.get(node)
        if life.ended_at is not None:
            return False
        if self.processes.is_alive(life.name):
            return True
        life.ended_at = time.time()
        status = self.processes.forget(life.name)
        self._violations.add(f"{life.name} ended by itself with status {status}")
        return False
