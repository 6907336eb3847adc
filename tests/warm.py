"""Real processes that start within a fraction of a second, by forking from one that has imported everything.

``python -m service`` spends seconds on imports before its first line runs, and the tests start dozens of
processes. The launcher's tests start theirs as users do.
"""

import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.conftest import REPOSITORY

PRELOADED = [
    "service.app",
    "worker.__main__",
    "torch._dynamo",
    "torch.optim",
    "sklearn.datasets",
    "alembic.command",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.lifespan.on",
]

_context = multiprocessing.get_context("forkserver")


def start_warm(target: Callable[..., None], *args: object) -> BaseProcess:
    """Start a process that calls ``target``, importable by name, from within the repository."""
    _start_server()
    process = _context.Process(target=target, args=args, daemon=True)
    process.start()
    return process


class WarmProcess:
    """A module run as ``python -m module arguments…``, with the methods of ``subprocess.Popen`` tests use."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str], log_path: Path) -> None:
        self._process = start_warm(_run, module, arguments, dict(environment), log_path)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return status

    def send_signal(self, sent: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, sent)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _start_server() -> None:
    """Start the process that others are forked from, once; it must find our packages."""
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "OMP_NUM_THREADS")}
    # Both are read when it starts: by Python, and by the library of threads when PyTorch is imported.
    os.environ |= {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    _context.set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def _run(module: str, arguments: Sequence[str], environment: dict[str, str], log_path: Path) -> None:
    os.chdir(REPOSITORY)
    os.environ.clear()
    os.environ.update(environment)
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for output in (1, 2):
        os.dup2(log, output)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
