"""``python -m worker.health``: exit status 0 when a living worker serves the database, for health checks."""

import sys

from lab.database.engine import Database
from lab.queue.workers import read_workforce
from lab.settings import load_settings


def main() -> int:
    """Check whether any worker is alive; imports no PyTorch, so it is cheap."""
    with Database(load_settings().database_url).transaction() as session:
        workers = read_workforce(session).alive
    print(", ".join(workers) or "no worker is alive")  # noqa: T201
    return 0 if workers else 1


if __name__ == "__main__":
    sys.exit(main())
