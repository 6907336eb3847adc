"""Outcome of an experiment, as its user can read it."""

from dataclasses import dataclass
from typing import Any

from tests.chaos.client import Client


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """One run; ``weights`` (their hash) and ``mistakes`` only if it is completed."""

    run_id: int
    status: str
    num_epochs: int
    epoch: int
    curves: dict[str, list[float | None]]
    weights: str | None
    mistakes: list[Any] | None


def read_outcomes(client: Client, experiment_id: int) -> list[RunOutcome]:
    """Every run of the experiment, in the order in which they were asked for."""
    path = f"/experiments/{experiment_id}"
    runs = client.ask("GET", path).json()["runs"]
    drawn = {curves["run_id"]: curves for curves in client.ask("GET", f"{path}/curves").json()["runs"]}
    return [_read_outcome(client, run, drawn[run["id"]]) for run in runs]


def find_differences(outcome: RunOutcome, reference: RunOutcome) -> list[str]:
    """In what the run differs from the same run trained undisturbed, as far as it got."""
    differing = [
        name for name, values in outcome.curves.items() if values != reference.curves[name][: outcome.epoch]
    ]
    if outcome.status == "completed":
        differing += ["weights"] if outcome.weights != reference.weights else []
        differing += ["test predictions"] if outcome.mistakes != reference.mistakes else []
    return differing


def _read_outcome(client: Client, run: dict[str, Any], drawn: dict[str, Any]) -> RunOutcome:
    path = f"/runs/{run['id']}"
    is_completed = run["status"] == "completed"
    weights = client.ask("GET", f"{path}/weights").headers["etag"] if is_completed else None
    mistakes = client.ask("GET", f"{path}/misclassified").json()["misclassified"] if is_completed else None
    return RunOutcome(
        run_id=run["id"],
        status=run["status"],
        num_epochs=run["epochs"],
        epoch=run["epoch"],
        curves={name: values for name, values in drawn.items() if isinstance(values, list)},
        weights=weights,
        mistakes=mistakes,
    )
