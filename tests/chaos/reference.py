"""The same runs trained in one go, by nothing but the training itself."""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lab.database.safetensors import encode_tensors
from lab.datasets.load import DATASETS, Dataset, load_dataset
from lab.experiments.configs import RunConfig
from lab.experiments.planning import plan_experiment
from lab.runs.epochs import EpochReport
from service.experiments.requests import ExperimentIn
from service.mistakes.answers import Answers
from tests.chaos.outcomes import RunOutcome
from tests.worker.flat import train

DATASET = "digits"

CURVE_FIELDS = (
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
)


References = dict[int, list[RunOutcome]]
"""Number of a recipe → what came of its runs."""


def train_references(catalog: list[dict[str, Any]], recipes: Collection[int]) -> References:
    """Train the numbered recipes in this thread and no other: as many as the workers have."""
    data = load_dataset(DATASET, data_dir=Path())
    with _train_as_workers_do():
        return {
            recipe: [_train(config, data) for config in _plan(catalog[recipe])] for recipe in sorted(recipes)
        }


@contextmanager
def _train_as_workers_do() -> Iterator[None]:
    # The numbers depend on it: tests.processes gives the workers one thread.
    num_threads, is_deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)
        torch.use_deterministic_algorithms(is_deterministic)


def _plan(body: dict[str, Any]) -> tuple[RunConfig, ...]:
    return plan_experiment(ExperimentIn(**body).to_request(), dataset=DATASETS[DATASET]).runs


def _train(config: RunConfig, data: Dataset) -> RunOutcome:
    reports: list[EpochReport] = list(train([config], data))
    last = reports[-1]
    log_probabilities = last.test_log_probabilities.numpy()
    answers = Answers(
        runs=(),
        images=data.test.images.numpy(),
        labels=data.test.labels.numpy(),
        predicted=log_probabilities.argmax(axis=1, keepdims=True).T.astype(np.uint8),
        confidence=np.exp(log_probabilities.max(axis=1, keepdims=True)).T,
    )
    digest = hashlib.sha256(encode_tensors(last.state.weights)).hexdigest()
    return RunOutcome(
        run_id=0,
        status="completed",
        num_epochs=config.epochs,
        epoch=last.epoch,
        curves={
            "epochs": [report.epoch for report in reports],
            **{name: [getattr(report, name) for report in reports] for name in CURVE_FIELDS},
        },
        weights=f'"{digest}"',
        mistakes=[asdict(mistake) for mistake in answers.rank_misclassified(0)],
    )
