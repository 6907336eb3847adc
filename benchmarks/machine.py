"""The machine a benchmark runs on, in one line."""

import os
import platform
import sys
from pathlib import Path


def describe_machine() -> str:
    """The processor's name and the number of its cores that this process may use."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{len(os.sched_getaffinity(0))} cores, {names[0] if names else platform.machine()}"


def write(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
