"""Measure runs per minute of a study: ``make bench-study``.

The study's four configurations with six seeds, 24 runs, trained and measured after the epoch as a worker does
it, beside one plain PyTorch run at a time, in turn, medians of several rounds; then bundles of 1 to 64
runs, to see how the cost grows. All have the same sample of the images of an epoch; the minutes of the whole
study are scaled up from it.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from benchmarks.bundles import imitate_mnist, open_backend
from benchmarks.machine import describe_machine, write
from benchmarks.rivals import build_eager, measure_seconds
from lab.datasets.load import Dataset
from lab.datasets.pixels import normalize_pixels
from lab.experiments.configs import RunConfig
from lab.experiments.presets import STUDY
from lab.networks.build import build_network
from worker.engines.variants import Backend
from worker.training.train import train

NUM_SEEDS = 6
STUDY_EPOCHS = 25
BUNDLE_SIZES = (1, 2, 4, 8, 16, 32, 64)


def main() -> None:
    """Measure, and print tables, the ratio and JSON; draw the curve if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--share", type=float, help="of MNIST's images; 1 on a GPU, a fiftieth on a CPU")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--figure", type=Path, help="where to draw runs a minute against the bundle's size")
    arguments = parser.parse_args()
    backend = open_backend(arguments.device)
    share = arguments.share or (0.02 if backend.device.type == "cpu" else 1.0)
    data = imitate_mnist(backend.device, share=share)
    configs = list_study_runs()
    # Once around first, so that nothing is measured that is done only once.
    train_all(configs[:1], data, backend)
    rounds = [measure_round(configs, data, backend) for _ in range(arguments.rounds)]
    ours, rival = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    scale = STUDY_EPOCHS / share / 60
    curve = {size: measure_bundle(size, data, backend) for size in BUNDLE_SIZES}
    write(f"{describe_machine()}; {backend.description}, {backend.variant}")
    write(f"24 runs, an epoch of {len(data.train):,} images each, measured on these and {len(data.test):,}")
    for name, seconds in (("ours", ours), ("one eager run at a time", rival)):
        write(
            f"{name:<24}{seconds:>8.1f} s; the whole study {seconds * scale:>7.1f} min, "
            f"{len(configs) / (seconds * scale):.2f} runs a minute"
        )
    write(f"ratio study ours/eager: {rival / ours:.2f}")
    runs_per_minute = {size: size / (seconds * scale) for size, seconds in curve.items()}
    for size, value in runs_per_minute.items():
        write(f"bundle of {size:>2}: {value:.3f} runs a minute")
    if arguments.figure:
        draw_curve(runs_per_minute, describe_machine()).savefig(arguments.figure, dpi=120)
    found = {
        "machine": describe_machine(),
        "share": share,
        "seconds_of_rounds": {"ours": [ours for ours, _ in rounds], "eager": [rival for _, rival in rounds]},
        "ratio": rival / ours,
        "runs_per_minute": runs_per_minute,
    }
    write(json.dumps(found))


def list_study_runs() -> list[RunConfig]:
    """The study's configurations, six seeds each, for one epoch."""
    return [make_run(config, seed) for config in STUDY.configs for seed in range(NUM_SEEDS)]


def make_run(config: Mapping[str, Any], seed: int) -> RunConfig:
    """One of the study's configurations for one epoch."""
    recipe = {**STUDY.recipe, "dataset": "mnist", "epochs": 1, "schedule_metric": "test"}
    return RunConfig(**{**recipe, **config, "seed": seed})


def train_all(configs: Sequence[RunConfig], data: Dataset, backend: Backend) -> None:
    """Train as a worker does, in bundles of its own size."""
    for start in range(0, len(configs), backend.bundle_size):
        for _ in train(configs[start : start + backend.bundle_size], data, backend=backend):
            pass


def train_in_turn(configs: Sequence[RunConfig], data: Dataset) -> None:
    """One plain PyTorch run after another, each measured on both sets after its epoch."""
    for config in configs:
        build_eager(config, data.train)(len(data.train))
        network = build_network(config).to(data.train.images.device).eval()
        for image_set in (data.train, data.test):
            with torch.inference_mode():
                for batch in image_set.images.split(250):
                    network(normalize_pixels(batch.float() / 255))


def measure_round(configs: Sequence[RunConfig], data: Dataset, backend: Backend) -> tuple[float, float]:
    """Seconds for an epoch of all runs: ours, and one plain PyTorch run at a time."""
    ours = measure_seconds(lambda: train_all(configs, data, backend), device=backend.device)
    # Four of the 24, one of each configuration, stand for all.
    one_each = configs[::NUM_SEEDS]
    rival = measure_seconds(lambda: train_in_turn(one_each, data), device=backend.device)
    return ours, rival * NUM_SEEDS


def measure_bundle(size: int, data: Dataset, backend: Backend) -> float:
    """Seconds for an epoch of ``size`` runs with group normalization, all at once."""
    group = next(config for config in STUDY.configs if config["normalization"] == "group")
    configs = [make_run(group, seed) for seed in range(size)]
    return measure_seconds(lambda: list(train(configs, data, backend=backend)).clear(), device=backend.device)


def draw_curve(runs_per_minute: dict[int, float], machine: str) -> Figure:
    """Runs a minute against the size of the bundle."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(list(runs_per_minute), list(runs_per_minute.values()), marker="o")
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(runs_per_minute), [str(size) for size in runs_per_minute])
    axes.set_ylim(0, 1.1 * max(runs_per_minute.values()))
    axes.set_xlabel("runs trained at once")
    axes.set_ylabel("runs of 25 MNIST epochs a minute")
    axes.set_title(machine, fontsize=9)
    axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    main()
