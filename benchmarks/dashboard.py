"""Measure the dashboard's first paint and the bytes it loads: ``make bench-dashboard``.

Each view is opened several times by a browser that has never been there, from a service on this machine:
the median time of its first contentful paint, and the bytes it loaded, compressed as they came.
"""

import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.machine import describe_machine, write
from tests.processes import Processes

NUM_REPEATS = 5
VIEWS = {
    "experiments": "#/",
    "new": "#/new",
    "draw": "#/draw",
    "appendix": "#/appendix",
    "system": "#/system",
}
MEASURE = """() => [
    performance.getEntriesByName("first-contentful-paint")[0].startTime,
    [...performance.getEntriesByType("resource"), ...performance.getEntriesByType("navigation")]
        .reduce((total, entry) => total + entry.transferSize, 0),
]"""


def main() -> None:
    """Measure, and print a table."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        processes = Processes(Path(folder))
        processes.start("service")
        try:
            processes.wait_for_service()
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            write(f"{describe_machine()}; medians of {NUM_REPEATS}")
            write(f"{'view':<14}{'first paint, ms':>16}{'loaded, KB':>12}")
            for name, fragment in VIEWS.items():
                address = f"{processes.client.base_url}{fragment}"
                measured = [open_view(browser, address) for _ in range(NUM_REPEATS)]
                paint, loaded = (statistics.median(values) for values in zip(*measured, strict=True))
                write(f"{name:<14}{paint:>16.0f}{loaded / 1_000:>12.0f}")
            browser.close()
        finally:
            processes.stop()


def open_view(browser: Browser, address: str) -> tuple[float, float]:
    """Milliseconds to the first contentful paint, and bytes loaded until nothing more is asked for."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    paint, loaded = page.evaluate(MEASURE)
    context.close()
    return paint, loaded


if __name__ == "__main__":
    main()
