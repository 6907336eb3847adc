"""``python -m worker.health``: exit status 0 when a living worker serves the database, for health checks."""

import sys

from lab.database import Database
from lab.settings import load_settings
from lab.worker_slots import list_workers


def main() -> int:
    """Look whether any worker holds a slot; imports no PyTorch, so that it costs little."""
    workers = list_workers(Database(load_settings().database_url))
    print(", ".join(workers) or "no worker is alive")  # noqa: T201
    return 0 if workers else 1


if __name__ == "__main__":
    sys.exit(main())
