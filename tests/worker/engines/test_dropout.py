"""Which activations are dropped: the distribution; seeds are fixed, so every bound is met or not."""

import math

import pytest
import torch
from torch import Tensor

from lab.experiments.architecture import list_block_shapes
from worker.engines.dropout import draw_dropped, draw_positions, split_positions

SIZES = [math.prod(shape) for shape in list_block_shapes()]


def make_generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mark_drawn(p: float, *, size: int, generator: torch.Generator) -> Tensor:
    marks = torch.zeros(size, dtype=torch.bool)
    marks[draw_positions(p, size=size, generator=generator)] = True
    return marks


class TestPositions:
    @pytest.mark.parametrize("p", [0.001, 0.01, 0.1, 0.6])
    def test_share_is_binomial(self, p: float) -> None:
        size = 1_000_000
        count = len(draw_positions(p, size=size, generator=make_generator()))
        assert abs(count - size * p) < 5 * math.sqrt(size * p * (1 - p))

    @pytest.mark.parametrize("p", [0.01, 0.6, 0.99])
    def test_are_sorted_distinct_and_inside(self, p: float) -> None:
        positions = draw_positions(p, size=10_000, generator=make_generator())
        assert positions.dtype == torch.int64
        assert bool((positions.diff() > 0).all())
        assert 0 <= int(positions[0]) <= int(positions[-1]) < 10_000

    @pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
    def test_every_position_is_drawn_equally_often(self, p: float) -> None:
        size, draws, generator = 40, 4_000, make_generator()
        marks = [mark_drawn(p, size=size, generator=generator) for _ in range(draws)]
        counts = torch.stack(marks).sum(dim=0).double()
        deviations = (counts - draws * p) / math.sqrt(draws * p * (1 - p))
        assert abs(float(deviations[0])) < 4
        assert abs(float(deviations[-1])) < 4
        # Chi-square of 40 degrees of freedom: mean 40, standard deviation 9.
        assert 10 < float(deviations.square().sum()) < 85

    def test_neighbours_are_drawn_independently(self) -> None:
        p, size = 0.1, 500_000
        marks = mark_drawn(p, size=size, generator=make_generator())
        both = int((marks[1:] & marks[:-1]).sum())
        # Overlapping pairs share an element, which raises the variance a little above the binomial's.
        assert abs(both - size * p**2) < 6 * math.sqrt(size * p**2)

    def test_are_drawn_from_the_generator_alone(self) -> None:
        before = torch.get_rng_state()
        first, second, other = (
            draw_positions(0.05, size=10_000, generator=make_generator(seed)) for seed in (1, 1, 2)
        )
        assert torch.equal(first, second)
        assert not torch.equal(first, other)
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize("p", [1e-9, 1e-19, 1e-300])
    def test_of_a_vanishing_p_are_none(self, p: float) -> None:
        assert len(draw_positions(p, size=1_000, generator=make_generator())) == 0


class TestSplit:
    @pytest.mark.parametrize(
        ("positions", "expected"),
        [
            ([], [[], [], []]),
            ([0, 1, 2, 3, 4, 5, 6], [[0, 1], [0], [0, 1, 2, 3]]),
            ([1, 3], [[1], [], [0]]),
            ([2, 6], [[], [0], [3]]),
        ],
    )
    def test_counts_from_each_parts_beginning(self, positions: list[int], expected: list[list[int]]) -> None:
        parts = split_positions(torch.tensor(positions, dtype=torch.int64), [2, 1, 4])
        assert [part.tolist() for part in parts] == expected


class TestDropped:
    @pytest.mark.parametrize("num_images", [1, 37])
    def test_are_positions_in_every_block_of_a_batch(self, num_images: int) -> None:
        dropped = draw_dropped(0.2, num_images=num_images, generator=make_generator())
        assert dropped.keep_scale == 1 / 0.8
        assert len(dropped.positions) == len(SIZES)
        for positions, per_image in zip(dropped.positions, SIZES, strict=True):
            size = num_images * per_image
            assert abs(len(positions) - 0.2 * size) < 5 * math.sqrt(size * 0.16)
            assert 0 <= int(positions[0]) <= int(positions[-1]) < size

    def test_a_second_draw_differs(self) -> None:
        generator = make_generator()
        first, second = (draw_dropped(0.05, num_images=2, generator=generator) for _ in range(2))
        for ours, theirs in zip(first.positions, second.positions, strict=True):
            assert not torch.equal(ours, theirs)
