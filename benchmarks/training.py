"""Training speed beside what people usually write: ``make bench-train``.

Images a second in training steps of 128 with the study's penalties, rotation and dropout, nothing measured in
between: the notebooks' pipeline, a plain loop over one tensor, ours with one run, and ours with as many runs
as the device takes at once. All in one process, in turn; medians. What the device could do at most, by a
matrix product and a copy, is measured in the same run.
"""

import argparse
import json
import statistics
from dataclasses import replace
from functools import partial

import torch

from benchmarks.bundles import Bundle, imitate_mnist, open_backend
from benchmarks.machine import describe_machine, write
from benchmarks.rivals import TrainSteps, build_eager, build_notebook, measure_seconds
from lab.experiments.architecture import describe_layers
from lab.experiments.configs import NORMALIZATIONS, STUDY_L1, STUDY_L2, Normalization, RunConfig
from worker.engines.variants import Backend

NUM_STEPS = {"notebook": 12, "eager": 20, "alone": 40, "bundled": 40}
BATCH_SIZE = 128


def main() -> None:
    """Measure, and print a table, the ratios and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    backend = open_backend(arguments.device)
    torch.use_deterministic_algorithms(True)
    speeds = {
        normalization: measure_normalization(normalization, backend, num_rounds=arguments.rounds)
        for normalization in NORMALIZATIONS
    }
    report(speeds, backend)


def measure_normalization(
    normalization: Normalization, backend: Backend, *, num_rounds: int
) -> dict[str, float]:
    """Images a second of each contender, the median of rounds in which each has its turn."""
    data = imitate_mnist(backend.device)
    config = RunConfig(
        dataset="mnist", normalization=normalization, l1=STUDY_L1, l2=STUDY_L2, schedule="constant"
    )
    bundle_size = backend.bundle_size
    bundle = [replace(config, seed=seed) for seed in range(bundle_size)]
    contenders: dict[str, TrainSteps] = {
        "notebook": build_notebook(config, data.train),
        "eager": build_eager(config, data.train),
        "alone": Bundle([config], data, backend=backend).train_steps,
        "bundled": Bundle(bundle, data, backend=backend).train_steps,
    }
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for train_steps in contenders.values():
        train_steps(2)
    for _ in range(num_rounds):
        for name, train_steps in contenders.items():
            seconds = measure_seconds(partial(train_steps, NUM_STEPS[name]), device=backend.device)
            num_images = NUM_STEPS[name] * BATCH_SIZE * (bundle_size if name == "bundled" else 1)
            speeds[name].append(num_images / seconds)
    return {name: statistics.median(values) for name, values in speeds.items()}


def measure_ceilings(device: torch.device) -> dict[str, float]:
    """Measure the device's limits: floating-point operations and bytes per second, in billions."""
    size = 2_048 if device.type == "cpu" else 8_192
    matrix = torch.randn(size, size, device=device)
    block = torch.empty(64 * 2**20, device=device)
    target = torch.empty_like(block)

    def multiply() -> None:
        torch.mm(matrix, matrix)

    def copy() -> None:
        target.copy_(block)

    seconds = [min(measure_seconds(action, device=device) for _ in range(7)) for action in (multiply, copy)]
    return {
        "float32 matrix product, GFLOP/s": 2 * size**3 / seconds[0] / 1e9,
        "copy, GB/s": 2 * block.numel() * block.element_size() / seconds[1] / 1e9,
    }


def report(speeds: dict[Normalization, dict[str, float]], backend: Backend) -> None:
    """Print what was measured."""
    ceilings = measure_ceilings(backend.device)
    multiply_adds = sum(layer.multiply_adds for layer in describe_layers("none"))
    write(f"{describe_machine()}; {backend.description}, {backend.variant}")
    write(f"images a second; bundled: {backend.bundle_size} runs at once, all their images counted")
    write(f"{'normalization':<15}" + "".join(f"{name:>12}" for name in NUM_STEPS))
    for normalization, row in speeds.items():
        write(f"{normalization:<15}" + "".join(f"{row[name]:>12,.0f}" for name in NUM_STEPS))
    for name, value in ceilings.items():
        write(f"ceiling of a {name}: {value:,.0f}")
    best = max(row["bundled"] for row in speeds.values())
    # Forward, and the gradients of inputs and weights.
    share = 3 * 2 * multiply_adds * best / 1e9 / ceilings["float32 matrix product, GFLOP/s"]
    write(f"share of the matrix product's speed, best normalization, convolutions alone: {share:.2f}")
    for ours, rival in (
        ("alone", "notebook"),
        ("bundled", "notebook"),
        ("alone", "eager"),
        ("bundled", "eager"),
    ):
        ratios = {normalization: row[ours] / row[rival] for normalization, row in speeds.items()}
        for normalization, ratio in ratios.items():
            write(f"ratio {ours}/{rival} {normalization}: {ratio:.2f}")
        write(f"ratio {ours}/{rival}: {statistics.median(ratios.values()):.2f}")
    write(json.dumps({"machine": describe_machine(), "images_per_second": speeds, "ceilings": ceilings}))


if __name__ == "__main__":
    main()
