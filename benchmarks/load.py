"""Compare response times on a small and a large database: ``make bench-load``.

The same requests to two services in one process, one on a database of 600 runs, one on 10,080 runs with
252,000 recorded epochs, in turn; medians, and the ratio of the two.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

from fastapi.testclient import TestClient

from benchmarks.filled_database import NUM_RUNS, fill_database
from benchmarks.machine import describe_machine, write
from lab.settings import Settings
from service.app import create_app

NUM_REPEATS = 21
SIZES = {"small": 25, "large": 420}
REQUESTS = {
    "list": "/experiments",
    "list running": "/experiments?status=running",
    "list failed": "/experiments?status=failed",
    "list completed": "/experiments?status=completed",
    "experiment": "/experiments/3",
    "curves": "/experiments/3/curves",
    "run": "/runs/60",
    "counts": "/metrics",
    "ready": "/readyz",
}


def main() -> None:
    """Measure, and print a table, the ratios and JSON."""
    with tempfile.TemporaryDirectory() as folder:
        clients = {name: open_service(Path(folder) / name, size) for name, size in SIZES.items()}
        seconds = measure(clients)
        for client in clients.values():
            client.close()
    rows = {
        request: {name: statistics.median(times) * 1_000 for name, times in by_size.items()}
        for request, by_size in seconds.items()
    }
    numbers = {name: f"{size * NUM_RUNS:,} runs" for name, size in SIZES.items()}
    write(f"{describe_machine()}; milliseconds, medians of {NUM_REPEATS}")
    write(f"{'request':<16}" + "".join(f"{number:>14}" for number in numbers.values()))
    for request, row in rows.items():
        write(f"{request:<16}" + "".join(f"{row[name]:>14.1f}" for name in SIZES))
    for request, row in rows.items():
        write(f"ratio {request} large/small: {row['large'] / row['small']:.2f}")
    write(json.dumps({"machine": describe_machine(), "runs": numbers, "milliseconds": rows}))


def open_service(folder: Path, num_experiments: int) -> TestClient:
    """A service on a filled database of its own."""
    folder.mkdir()
    fill_database(folder, num_experiments=num_experiments).close()
    settings = Settings(database_url=f"sqlite:///{folder}/lab.db", data_dir=folder, default_dataset="digits")
    return TestClient(create_app(settings))


def measure(clients: dict[str, TestClient]) -> dict[str, dict[str, list[float]]]:
    """Seconds of each request to each service, in turn, the first of each left out."""
    seconds: dict[str, dict[str, list[float]]] = {
        request: {name: [] for name in clients} for request in REQUESTS
    }
    for repeat in range(NUM_REPEATS + 1):
        for request, path in REQUESTS.items():
            for name, client in clients.items():
                started = time.perf_counter()
                client.get(path).raise_for_status()
                if repeat > 0:
                    seconds[request][name].append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
