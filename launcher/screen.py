"""The launcher's screen: a progress bar per run, then the table of results."""

from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

SHOWN_RUNS = 30
ACTIVE = ("queued", "running")


class RunBars:
    """A progress bar for each run of one experiment; on a dumb terminal, a line for each finished run."""

    def __init__(self, console: Console, experiment: dict[str, Any]) -> None:
        self._console = console
        self._ended: set[int] = set()
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[accuracy]}"),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[int, TaskID] = {
            run["id"]: self.progress.add_task(
                name_run(run), total=run["epochs"], start=False, accuracy="", status=""
            )
            for run in experiment["runs"][:SHOWN_RUNS]
        }

    def show(self, experiment: dict[str, Any]) -> None:
        """Update every bar."""
        for run in experiment["runs"]:
            task = self._tasks.get(run["id"])
            if task is None:
                continue
            if run["status"] != "queued":
                self.progress.start_task(task)
            self.progress.update(
                task, completed=run["epoch"], accuracy=_describe_accuracy(run), status=run["status"]
            )
            if run["status"] not in ACTIVE and run["id"] not in self._ended:
                self._ended.add(run["id"])
                self.progress.stop_task(task)
                if not self._console.is_terminal:
                    self._console.print(f"{name_run(run)}: {run['status']}, {_describe_accuracy(run)}")


def name_run(run: dict[str, Any]) -> str:
    """The run as the bars name it."""
    return f"{run['label']}, seed {run['seed']}"


def make_findings_table(experiment: dict[str, Any], results: dict[str, Any]) -> Table:
    """The findings, a row a run, accuracies in percent."""
    table = Table(
        title=f"{experiment['name']} ({experiment['status']})",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("run", overflow="fold")
    # Two lines a heading keep the table within 80 columns.
    for heading in (
        "para-\nmeters",
        "best test\n% (epoch)",
        "last\ntest %",
        "last 5\ntest %",
        "last\ntest loss",
        "last\ntrain %",
    ):
        table.add_column(heading, justify="right")
    has_seeds = len({row["seed"] for row in results["runs"]}) > 1
    for row in results["runs"]:
        loss = row["final_test_loss"]
        best = _percent(row["best_test_accuracy"])
        table.add_row(
            name_run(row) if has_seeds else row["label"],
            f"{row['parameters']:,}",
            f"{best} ({row['best_test_epoch']})" if row["best_test_epoch"] else best,
            _percent(row["final_test_accuracy"]),
            _percent(row["last_five_test_accuracy"]),
            "–" if loss is None else f"{loss:.4f}",
            _percent(row["final_train_accuracy"]),
        )
    return table


def _describe_accuracy(run: dict[str, Any]) -> str:
    return f"test {_percent(run['test_accuracy'])} %" if run["test_accuracy"] is not None else ""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.2f}"
