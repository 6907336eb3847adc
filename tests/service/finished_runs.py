"""Runs that end with figures of the test's own, without training."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.database.tables import EpochMetric, LayerStatistic, Run, TestPrediction, now
from lab.experiments.architecture import ROWS
from lab.experiments.configs import RunConfig

Accuracies = Callable[[RunConfig], Sequence[float]]
"""From a run's configuration to its test accuracy after each epoch."""


def submit(client: TestClient, **body: Any) -> int:
    """Queue an experiment on the digits; gives its id."""
    response = client.post("/experiments", json={"dataset": "digits", **body})
    assert response.status_code == 202, response.text
    return int(response.json()["id"])


def finish_runs(
    app: FastAPI,
    experiment_id: int,
    accuracies: Accuracies,
    *,
    leave_out: Collection[int] = (),
    seconds: float = 2.0,
    validation_accuracy: Callable[[RunConfig], float] | None = None,
) -> None:
    """Complete an experiment's runs, but those in the places ``leave_out``.

    Train accuracy is 0.01 above the test's, and the network reads the first images of the test set right.
    Without ``validation_accuracy``, which gives that of a run, the best epoch by validation is the first.
    """
    _, classes = app.state.test_images.read("digits")
    with app.state.resources.database.transaction() as session:
        query = sa.select(Run).where(Run.experiment_id == experiment_id).order_by(Run.id)
        for place, run in enumerate(session.scalars(query).all()):
            if place in leave_out:
                continue
            values = accuracies(RunConfig.from_json(run.config))
            run.finished_at, run.device = now(), "cpu of the test"
            for epoch, value in enumerate(values, start=1):
                metric = _make_metric(run.id, epoch, value, seconds=seconds)
                if validation_accuracy is not None:
                    metric.validation_accuracy = validation_accuracy(RunConfig.from_json(run.config))
                session.add(metric)
            num_correct = round(values[-1] * len(classes))
            answers = np.where(np.arange(len(classes)) < num_correct, classes, (classes + 1) % 10)
            log_probabilities = np.log(np.eye(10, dtype="<f4")[answers] * 0.9 + 0.01)
            session.add(TestPrediction(run_id=run.id, log_probabilities=log_probabilities.tobytes()))


def record_layers(app: FastAPI, norms: Mapping[int, Mapping[int, float | None]]) -> None:
    """Record layer statistics, from run id → step → the gradient norm of convolution 1.

    Each further layer has one more; the activations' mean is minus the norm, their variance twice the norm.
    """
    with app.state.resources.database.transaction() as session:
        for run_id, by_step in norms.items():
            for step, first in by_step.items():
                for row in ROWS:
                    norm = None if first is None else first + row.number - 1
                    session.add(
                        LayerStatistic(
                            run_id=run_id,
                            step=step,
                            layer=row.number,
                            gradient_norm=norm,
                            activation_mean=None if norm is None else -norm,
                            activation_variance=None if norm is None else 2 * norm,
                        )
                    )


def _make_metric(run_id: int, epoch: int, accuracy: float, *, seconds: float) -> EpochMetric:
    return EpochMetric(
        run_id=run_id,
        epoch=epoch,
        learning_rate=0.1,
        seconds=seconds,
        train_loss=0.1,
        train_accuracy=accuracy + 0.01,
        validation_loss=0.2,
        validation_accuracy=1 - epoch / 1_000,
        test_loss=1 - accuracy,
        test_accuracy=accuracy,
    )
