"""The vector engine's library, compiled for this machine's processor once and kept."""

import ctypes
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

logger = logging.getLogger(__name__)

COMPILER = "ziglang"
SOURCE_DIR = Path(__file__).parent / "native"
COMPILE_TIMEOUT_SECONDS = 300.0
# Bits must not depend on the compiler's rounding, so no flag here allows reordering sums.
FLAGS = (
    "-O3",
    "-std=c++17",
    "-fno-math-errno",
    "-fno-exceptions",
    "-fno-rtti",
    "-nostdlib++",
    "-shared",
    "-fPIC",
)
# PyTorch's name of the instruction set → floats per vector, and the compiler's name.
X86_TARGETS = {"AVX512": (16, "x86_64_v4"), "AVX2": (8, "x86_64_v3")}


class EngineUnavailableError(Exception):
    """The engine is not available here; the message says why."""


def count_lanes() -> int:
    """Return the number of images this processor works on side by side: 4, 8 or 16."""
    return _choose_target()[0]


def load_library(num_lanes: int, *, cache_dir: Path) -> ctypes.CDLL:
    """The library for vectors of ``num_lanes`` images, compiled at the first call on a machine.

    Raises:
        EngineUnavailableError: there is no compiler for this platform, or it failed.
    """
    name = f"engine-{num_lanes}-{_fingerprint(num_lanes)}.so"
    path = cache_dir / name
    if path.exists():
        try:
            return ctypes.CDLL(str(path.resolve()))
        except OSError as error:
            # Truncated by a power loss, for instance, or built against other system libraries.
            logger.warning("%s cannot be loaded (%s), and is made again.", path, error)
    _compile(num_lanes, path)
    try:
        return ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        raise EngineUnavailableError(f"{path} cannot be loaded: {error}") from error


def _choose_target() -> tuple[int, str]:
    if platform.machine() in ("x86_64", "AMD64"):
        return X86_TARGETS.get(torch.backends.cpu.get_cpu_capability(), (4, "x86_64"))
    return 4, "generic"


def _fingerprint(num_lanes: int) -> str:
    made_by = (FLAGS, num_lanes, _choose_target(), platform.machine(), _find_compiler_version())
    digest = hashlib.sha256(repr(made_by).encode())
    for source in sorted(SOURCE_DIR.iterdir()):
        if source.is_file():
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _find_compiler_version() -> str | None:
    try:
        return importlib.metadata.version(COMPILER)
    except importlib.metadata.PackageNotFoundError:
        return None


def _compile(num_lanes: int, path: Path) -> None:
    if importlib.util.find_spec(COMPILER) is None:
        raise EngineUnavailableError(f"the compiler's package, {COMPILER}, is not installed")
    logger.info("Compiling the vector engine for %s; this is done once.", _choose_target()[1])
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / path.name
        command = [sys.executable, "-m", COMPILER, "c++", *FLAGS, f"-mcpu={_choose_target()[1]}"]
        command += [f"-DLANES={num_lanes}", str(SOURCE_DIR / "engine.cpp"), "-o", str(made)]
        caches = {f"ZIG_{scope}_CACHE_DIR": f"{folder}/cache" for scope in ("GLOBAL", "LOCAL")}
        try:
            subprocess.run(
                command,
                env={**caches, **os.environ},
                check=True,
                capture_output=True,
                timeout=COMPILE_TIMEOUT_SECONDS,
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            # Beside its place first: two workers may compile at once; neither may load half a file.
            with tempfile.TemporaryDirectory(dir=path.parent) as beside:
                shutil.copyfile(made, Path(beside) / path.name).replace(path)
        except subprocess.CalledProcessError as error:
            raise EngineUnavailableError(error.stderr.decode(errors="replace").strip()) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineUnavailableError(str(error)) from error
