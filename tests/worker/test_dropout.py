"""The dropout layer's distribution, on both of its paths; seeds are fixed, so every bound is met or not."""

import math

import pytest
import torch
from torch import Tensor

from lab import networks
from lab.networks import SPARSE_DROPOUT_MAX_P, Dropout

PATHS = ["sparse", "dense"]


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test on each path at the same p, by moving the border between them."""
    if request.param == "dense":
        monkeypatch.setattr(networks, "SPARSE_DROPOUT_MAX_P", 0.0)
    return str(request.param)


def make_dropout(p: float, *, seed: int = 0) -> Dropout:
    dropout = Dropout(p)
    dropout.generator = torch.Generator().manual_seed(seed)
    return dropout


def count_zeros_by_position(p: float, *, size: int, draws: int) -> Tensor:
    dropout, ones = make_dropout(p), torch.ones(size)
    return torch.stack([dropout(ones) == 0 for _ in range(draws)]).sum(dim=0).double()


@pytest.mark.usefixtures("path")
class TestDistribution:
    @pytest.mark.parametrize("p", [0.001, 0.01, 0.1])
    def test_zeroed_share_is_binomial(self, p: float) -> None:
        size = 1_000_000
        zeros = int((make_dropout(p)(torch.ones(size)) == 0).sum())
        assert abs(zeros - size * p) < 5 * math.sqrt(size * p * (1 - p))

    def test_kept_values_are_scaled_so_that_the_mean_stands(self) -> None:
        activations = torch.rand(10, 8, 12, 12, generator=torch.Generator().manual_seed(3)) + 0.5
        dropped = make_dropout(0.1)(activations)
        kept = dropped != 0
        torch.testing.assert_close(dropped[kept], activations[kept] / 0.9)
        assert dropped.shape == activations.shape

    def test_every_position_is_zeroed_equally_often(self) -> None:
        p, size, draws = 0.1, 40, 4_000
        counts = count_zeros_by_position(p, size=size, draws=draws)
        deviations = (counts - draws * p) / math.sqrt(draws * p * (1 - p))
        assert abs(float(deviations[0])) < 4
        assert abs(float(deviations[-1])) < 4
        # Chi-square of 40 degrees of freedom: mean 40, standard deviation 9.
        assert 10 < float(deviations.square().sum()) < 85

    def test_neighbours_are_zeroed_independently(self) -> None:
        p, size = 0.1, 500_000
        zeroed = make_dropout(p)(torch.ones(size)) == 0
        both = int((zeroed[1:] & zeroed[:-1]).sum())
        # Overlapping pairs share an element, which raises the variance a little above the binomial's.
        assert abs(both - size * p**2) < 6 * math.sqrt(size * p**2)

    def test_draws_from_its_generator_alone(self) -> None:
        before = torch.get_rng_state()
        first, second = make_dropout(0.05, seed=1), make_dropout(0.05, seed=1)
        other = make_dropout(0.05, seed=2)
        ones = torch.ones(10_000)
        assert torch.equal(first(ones), second(ones))
        assert not torch.equal(first(ones), other(ones))
        assert torch.equal(torch.get_rng_state(), before)

    def test_a_second_draw_differs(self) -> None:
        dropout, ones = make_dropout(0.05), torch.ones(10_000)
        assert not torch.equal(dropout(ones), dropout(ones))

    def test_gradient_passes_where_the_value_did(self) -> None:
        activations = torch.ones(10_000, requires_grad=True)
        dropped = make_dropout(0.1)(activations)
        dropped.sum().backward()
        assert activations.grad is not None
        torch.testing.assert_close(activations.grad, dropped.detach())


def test_large_p_is_binomial_too() -> None:
    size, p = 200_000, 0.6
    assert p > SPARSE_DROPOUT_MAX_P
    zeros = int((make_dropout(p)(torch.ones(size)) == 0).sum())
    assert abs(zeros - size * p) < 5 * math.sqrt(size * p * (1 - p))


@pytest.mark.parametrize("p", [1e-9, 1e-19, 1e-300])
def test_vanishing_p_drops_nothing(p: float) -> None:
    assert torch.equal(make_dropout(p)(torch.ones(1_000)), torch.ones(1_000))


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_eval_mode_is_the_identity(p: float) -> None:
    dropout = make_dropout(p).eval()
    activations = torch.rand(1_000)
    before = dropout.generator.get_state() if dropout.generator else None
    assert torch.equal(dropout(activations), activations)
    assert before is not None
    assert dropout.generator is not None
    assert torch.equal(dropout.generator.get_state(), before)
