"""Distance from float64 to which rounding leads a short training: ``make bench-rounding``.

Batch normalization without γ and β on 70 images, two epochs of 32, 32 and 6 at a rate of 0.04: the distance
of the final weights from those of float64, as a share of the way that float64 moves them. By float64 from
weights that differ in the last bit of float32, by PyTorch's float32, and by each engine. Then the seed where
one decision of the max pool leads float64 itself far apart.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.bundles import open_backend
from benchmarks.machine import describe_machine, write
from lab.datasets.load import Dataset, load_dataset
from lab.experiments.configs import RunConfig
from tests.worker.reference import (
    CHAOTIC,
    CHAOTIC_DECISION,
    Named,
    SwappedPool,
    measure_stray,
    read_initial,
    take_seventy,
    train_plainly,
)
from worker.engines.variants import STACKED
from worker.training.train import train

VARIANTS = ("vector-4", "vector-8", "vector-16", STACKED)
Trainer = Callable[[RunConfig], Named]


def main() -> None:
    """Print the distances over the seeds, then one seed's under PyTorch and the decision's effect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    num_seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    data = take_seventy(load_dataset("digits", data_dir=Path()))
    trainers = build_trainers(data)
    configs = [replace(CHAOTIC, seed=seed) for seed in range(num_seeds)]
    exact = [train_plainly(config, data, dtype=torch.float64).parameters for config in configs]
    write(f"{describe_machine()}; {num_seeds} seeds, distance from float64 as a share of the movement")
    write(f"{'':<28}{'below 0.001':>12}{'median':>10}{'90 %':>8}{'largest':>9}{'0.25 or more':>14}")
    for name, trainer in trainers.items():
        trained = [trainer(config) for config in configs]
        write_row(name, [compare(*each) for each in zip(configs, trained, exact, strict=True)])
    decided = train_plainly(CHAOTIC, data, dtype=torch.float64).parameters
    moved = [
        train_plainly(
            CHAOTIC, data, dtype=torch.float32, initial=move_last_bit(CHAOTIC, draw=draw)
        ).parameters
        for draw in range(num_seeds)
    ]
    write_row(f"seed {CHAOTIC.seed}, float32 moved", [compare(CHAOTIC, ours, decided) for ours in moved])
    pool = SwappedPool(**CHAOTIC_DECISION)
    swapped = train_plainly(CHAOTIC, data, dtype=torch.float64, pool=pool).parameters
    write(
        f"seed {CHAOTIC.seed}, one decision changed between pixels {pool.difference:.1e} apart: "
        f"float64 moves by {compare(CHAOTIC, swapped, decided):.3f}"
    )
    for variant in VARIANTS:
        ours = trainers[variant](CHAOTIC)
        write(
            f"{variant:<10} from float64 {compare(CHAOTIC, ours, decided):.1e}, "
            f"with the decision changed {compare(CHAOTIC, ours, swapped):.1e}"
        )


def build_trainers(data: Dataset) -> dict[str, Trainer]:
    """The ways to train by name; each returns the final parameters."""
    backend = open_backend("cpu")

    def train_by(variant: str) -> Trainer:
        def train_last(config: RunConfig) -> Named:
            *_, (last,) = train([config], data, backend=replace(backend, variant=variant))
            return last.state.weights

        return train_last

    return {
        "float64, last bit moved": lambda config: (
            train_plainly(
                config, data, dtype=torch.float64, initial=move_last_bit(config, draw=config.seed)
            ).parameters
        ),
        "float32 by PyTorch": lambda config: train_plainly(config, data, dtype=torch.float32).parameters,
        **{variant: train_by(variant) for variant in VARIANTS},
    }


def move_last_bit(config: RunConfig, *, draw: int) -> Named:
    """The initial weights, each moved to the next number of float32 up or down at random."""
    generator = torch.Generator().manual_seed(draw)
    moved = {}
    for name, tensor in read_initial(config).items():
        is_up = torch.rand(tensor.shape, generator=generator) < 0.5
        moved[name] = torch.nextafter(tensor, torch.where(is_up, torch.inf, -torch.inf))
    return moved


def compare(config: RunConfig, ours: Named, theirs: Named) -> float:
    """The distance of ours from theirs as a share of the movement."""
    return measure_stray(ours, theirs, start=read_initial(config))


def write_row(name: str, strays: Sequence[float]) -> None:
    """Print the distribution of the distances."""
    values = np.array(strays)
    share_near, share_far = np.mean(values < 0.001), np.mean(values >= 0.25)
    middle, high = np.quantile(values, (0.5, 0.9))
    write(f"{name:<28}{share_near:>12.0%}{middle:>10.1e}{high:>8.3f}{values.max():>9.3f}{share_far:>14.0%}")


if __name__ == "__main__":
    main()
