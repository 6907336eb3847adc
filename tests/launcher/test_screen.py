"""What the terminal shows."""

import io
from typing import Any

from rich.console import Console

from launcher.screen import RunBars, make_findings_table


def make_run(run_id: int, *, status: str, epoch: int) -> dict[str, Any]:
    return {
        "id": run_id,
        "label": f"run {run_id}",
        "seed": 0,
        "status": status,
        "epoch": epoch,
        "epochs": 4,
        "test_accuracy": 0.5 if epoch else None,
    }


def make_row(label: str, accuracy: float | None) -> dict[str, Any]:
    return {
        "label": label,
        "seed": 0,
        "parameters": 7_940,
        "best_test_accuracy": accuracy,
        "best_test_epoch": 3 if accuracy else None,
        "final_test_accuracy": accuracy,
        "last_five_test_accuracy": accuracy,
        "final_test_loss": 0.0355 if accuracy else None,
        "final_train_accuracy": accuracy,
    }


def test_bars_follow_the_runs() -> None:
    console = Console(file=io.StringIO(), width=100)
    runs = [make_run(1, status="running", epoch=0), make_run(2, status="queued", epoch=0)]
    bars = RunBars(console, {"runs": runs})

    bars.show({"runs": [make_run(1, status="completed", epoch=4), make_run(2, status="running", epoch=1)]})

    assert [(task.completed, task.total) for task in bars.progress.tasks] == [(4, 4), (1, 4)]
    assert bars.progress.tasks[0].finished_time is not None


def test_a_dumb_terminal_gets_a_line_for_each_run_that_ends_once() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=100)
    experiment = {"runs": [make_run(1, status="failed", epoch=1), make_run(2, status="running", epoch=1)]}
    bars = RunBars(console, experiment)

    bars.show(experiment)
    bars.show(experiment)

    assert screen.getvalue().count("run 1, seed 0: failed") == 1
    assert "run 2" not in screen.getvalue()


def test_the_findings_fit_eighty_columns() -> None:
    screen = io.StringIO()
    results = {"runs": [make_row("instance + L1 + L2", 0.9915), make_row("layer + L2", None)]}

    Console(file=screen, width=80).print(make_findings_table({"name": "Study", "status": "running"}, results))

    lines = [line for line in screen.getvalue().splitlines() if "instance" in line]
    assert len(lines) == 1
    for figure in ("instance + L1 + L2", "7,940", "99.15 (3)", "0.0355"):
        assert figure in lines[0]
