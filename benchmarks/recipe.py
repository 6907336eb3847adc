"""Measure each part of the best recipe: ``make bench-recipe``.

Every candidate is the preset ``best`` with one thing changed. It learns from five sixths of the training
images and is measured on the last sixth after its last epoch: the test set is not asked, so that it may still
be asked once. Differences are paired by seed, with their 95 % interval.
"""

import argparse
import json
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bundles import open_backend
from benchmarks.machine import describe_machine, write
from lab.datasets.load import Dataset, load_dataset
from lab.experiments.configs import RunConfig
from lab.experiments.presets import BEST
from lab.statistics.paired import describe_differences
from worker.training.evaluation import split_validation
from worker.training.train import train

HELD_OUT_SHARE = 1 / 6
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "half the learning rate": {"learning_rate": 0.05},
    "twice the learning rate": {"learning_rate": 0.2},
    "half the batch and learning rate": {"batch_size": 32, "learning_rate": 0.05},
    "rotation 6.9": {"rotation_degrees": 6.9},
    "rotation 15": {"rotation_degrees": 15.0},
    "no translation or scaling": {"translation_pixels": 0.0, "scaling_percent": 0.0},
    "translation 2": {"translation_pixels": 2.0},
    "L2 0.00005": {"l2": 5e-5},
    "L2 0.00025": {"l2": 2.5e-4},
    "dropout 0.03": {"dropout": 0.03},
}


def main() -> None:
    """Train every candidate, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--data-dir", type=Path, default=Path("var/data"))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=BEST.recipe["epochs"])
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES))
    arguments = parser.parse_args()
    backend = open_backend(arguments.device)
    torch.use_deterministic_algorithms(True)
    data = hold_out(load_dataset(arguments.dataset, data_dir=arguments.data_dir)).to(backend.device)
    recipe = {**BEST.configs[0], **BEST.recipe, "epochs": arguments.epochs, "dataset": arguments.dataset}
    config = RunConfig(**recipe)
    names = list(dict.fromkeys(["as it is", *arguments.changes]))
    runs = [replace(config, **CHANGES[name], seed=seed) for name in names for seed in range(arguments.seeds)]
    last = {report.run_index: report for report in chain.from_iterable(train(runs, data, backend=backend))}
    accuracies = 100 * np.array([last[index].test_accuracy for index in range(len(runs))])
    by_name = dict(zip(names, accuracies.reshape(len(names), arguments.seeds), strict=True))

    write(f"{describe_machine()}; {backend.description}")
    write(
        f"{arguments.dataset}, {arguments.seeds} seeds, {arguments.epochs} epochs; accuracy in % on "
        f"{len(data.test):,} training images held out"
    )
    write(f"{'change':<34}{'mean':>8}{'against none, 95 % interval':>34}")
    for name, values in by_name.items():
        paired = describe_differences(values - by_name["as it is"])
        interval = "" if paired.ci_low is None else f" [{paired.ci_low:+.3f}, {paired.ci_high:+.3f}]"
        words = f"{paired.difference:+.3f}{interval}" if CHANGES[name] else ""
        write(f"{name:<34}{values.mean():>8.3f}{words:>34}")
    held_out = {name: values.tolist() for name, values in by_name.items()}
    write(json.dumps({"machine": describe_machine(), "held_out_accuracy_percent": held_out}))


def hold_out(data: Dataset) -> Dataset:
    """The same, the last of its training images in place of the test set."""
    train_set, held_out = split_validation(
        data.train, validation_size=round(len(data.train) * HELD_OUT_SHARE)
    )
    assert held_out is not None
    return replace(data, train=train_set, test=held_out)


if __name__ == "__main__":
    main()
