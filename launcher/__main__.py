"""``make run``: start service and worker, follow the newest experiment, serve until told to stop."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
from rich.console import Console

from lab.errors import LabError
from lab.settings import load_settings
from launcher.client import LabClient
from launcher.processes import LabProcesses, ProcessEndedError
from launcher.screen import ACTIVE, RunBars, make_findings_table

LOG_DIR = Path("var/log")
POLL_SECONDS = 0.5


def main() -> int:
    """Run everything; return 0 when the user stops it."""
    # SIGINT too: a shell that starts this in the background has it ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    console = Console()
    try:
        client = LabClient(load_settings())
        client.check_port()
        with LabProcesses(log_dir=LOG_DIR) as processes:
            try:
                run_lab(client, processes, console=console)
            except KeyboardInterrupt:
                console.print("Stopping; unfinished runs continue at the next start.")
    except (LabError, ProcessEndedError) as error:
        console.print(str(error), markup=False, highlight=False)
        return 1
    return 0


def run_lab(client: LabClient, processes: LabProcesses, *, console: Console) -> NoReturn:
    """Wait for the service, follow the newest experiment to its end, then keep the processes running.

    Raises:
        ProcessEndedError: the service ended, or the worker refuses to start.
    """
    with console.status("Starting the service and the worker …"):
        while not client.is_ready():
            processes.keep_running()
            time.sleep(POLL_SECONDS)
    console.print(f"The dashboard is at [bold]{client.address}[/], the API at {client.address}/docs")
    experiment_id = client.find_newest_experiment()
    if experiment_id is not None:
        follow_experiment(client, processes, experiment_id, console)
    console.print(f"Serving {client.address} until Ctrl-C. Logs are in {LOG_DIR}.")
    while True:
        processes.keep_running()
        time.sleep(POLL_SECONDS)


def follow_experiment(
    client: LabClient, processes: LabProcesses, experiment_id: int, console: Console
) -> None:
    """Show a bar for each run until none is queued or running, then the table of results."""
    experiment = client.read_experiment(experiment_id)
    if experiment["status"] in ACTIVE:
        console.print(f"{experiment['name']}: {experiment['num_runs']} runs", highlight=False)
        bars = RunBars(console, experiment)
        with bars.progress:
            while experiment["status"] in ACTIVE:
                processes.keep_running()
                time.sleep(POLL_SECONDS)
                try:
                    experiment = client.read_experiment(experiment_id)
                except httpx.HTTPError:
                    # Busy, or gone: if gone, keep_running says so.
                    continue
                bars.show(experiment)
    results = client.read_results(experiment_id)
    console.print(make_findings_table(experiment, results))
    for warning in results["warnings"]:
        console.print(f"! {warning}", markup=False, highlight=False)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
