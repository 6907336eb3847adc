"""Compare the accuracy of the engines: ``make bench-accuracy``.

The same recipe and seeds by PyTorch's own operators and automatic gradients in float32, and by the engine of
a worker on this device: test accuracy after the last epoch, with the 95 % interval of the mean difference,
paired by seed.
"""

import argparse
import json
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from benchmarks.bundles import open_backend
from benchmarks.machine import describe_machine, write
from lab.datasets.load import Dataset, load_dataset
from lab.experiments.configs import NORMALIZATIONS, STUDY_L1, STUDY_L2, RunConfig
from lab.statistics.paired import describe_differences
from worker.engines.variants import STACKED, Backend
from worker.training.train import train


def main() -> None:
    """Train every normalization by both engines, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data-dir", type=Path, default=Path("var/data"))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--normalizations", nargs="+", choices=NORMALIZATIONS, default=NORMALIZATIONS)
    arguments = parser.parse_args()
    backend = open_backend(arguments.device)
    torch.use_deterministic_algorithms(True)
    data = load_dataset(arguments.dataset, data_dir=arguments.data_dir).to(backend.device)
    write(f"{describe_machine()}; {backend.description}")
    write(f"{arguments.dataset}, {arguments.seeds} seeds, {arguments.epochs} epochs; test accuracy in %")
    write(f"{'normalization':<15}{STACKED:>10}{backend.variant:>12}{'difference, 95 % interval':>34}")
    rows = {}
    for normalization in arguments.normalizations:
        config = RunConfig(
            dataset=arguments.dataset,
            normalization=normalization,
            l1=STUDY_L1,
            l2=STUDY_L2,
            schedule="onecycle",
            epochs=arguments.epochs,
        )
        configs = [replace(config, seed=seed) for seed in range(arguments.seeds)]
        before, after = (
            100 * np.array(list_accuracies(configs, data, bench))
            for bench in (replace(backend, variant=STACKED), backend)
        )
        paired = describe_differences(after - before)
        write(
            f"{normalization:<15}{before.mean():>10.2f}{after.mean():>12.2f}"
            f"{paired.difference:>+12.3f} [{paired.ci_low:+.3f}, {paired.ci_high:+.3f}]"
        )
        rows[normalization] = {STACKED: before.tolist(), backend.variant: after.tolist()}
    write(json.dumps({"machine": describe_machine(), "test_accuracy_percent": rows}))


def list_accuracies(configs: list[RunConfig], data: Dataset, backend: Backend) -> list[float]:
    """Test accuracy of each run after its last epoch."""
    last = {
        report.run_index: report.test_accuracy
        for report in chain.from_iterable(train(configs, data, backend=backend))
    }
    return [last[index] for index in range(len(configs))]


if __name__ == "__main__":
    main()
