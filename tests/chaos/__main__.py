"""``python -m tests.chaos``: a chaos run of some minutes; exit status 1 if a promise is violated."""

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.chaos_run import ChaosRun, Plan


def main() -> int:
    """Run it and print what it came to; the folder is kept if there is something to look for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to do harm (default 5)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="default: a random one")
    parser.add_argument("--keep", action="store_true", help="keep the database and the logs")
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("LAB_")]:
        del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="lab-chaos-"))
    print(f"seed {arguments.seed}, {arguments.minutes:g} min, in {folder}", flush=True)  # noqa: T201
    report = ChaosRun(Plan(seed=arguments.seed, seconds=arguments.minutes * 60), folder=folder).run()
    print(report.describe())  # noqa: T201
    if not report.violations and not arguments.keep:
        shutil.rmtree(folder)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
