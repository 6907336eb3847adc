"""Each layer against its textbook formula, worked in numpy."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lab.networks.normalizations import build_normalization

SHAPE = (8, 5, 6)
EPS = 1e-5

Array = NDArray[np.float64]


def make_activations() -> Array:
    return np.random.default_rng(0).normal(loc=1.5, scale=3, size=(4, *SHAPE))


def standardize(values: Array, axes: Sequence[int]) -> Array:
    mean = values.mean(axis=tuple(axes), keepdims=True)
    variance = values.var(axis=tuple(axes), keepdims=True)
    return np.asarray((values - mean) / np.sqrt(variance + EPS))


def build_with_drawn_affine(name: str, *, num_groups: int = 2) -> nn.Module:
    layer = build_normalization(name, shape=SHAPE, num_groups=num_groups, affine=True)
    generator = torch.Generator().manual_seed(1)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=generator)
    return layer


def read_affine(layer: nn.Module) -> tuple[Array, Array]:
    """γ and β, shaped so that they meet activations (N, C, H, W)."""
    shape = SHAPE if isinstance(layer, nn.LayerNorm) else (SHAPE[0], 1, 1)
    gamma, beta = (layer.get_parameter(name).detach().double().numpy() for name in ("weight", "bias"))
    return gamma.reshape(shape), beta.reshape(shape)


def apply(layer: nn.Module, values: Array) -> Array:
    with torch.no_grad():
        return np.asarray(layer(torch.from_numpy(values).float()).double().numpy())


def assert_applies(layer: nn.Module, values: Array, standardized: Array) -> None:
    gamma, beta = read_affine(layer)
    np.testing.assert_allclose(apply(layer, values), gamma * standardized + beta, rtol=1e-4, atol=1e-5)


class TestBatch:
    def test_training_standardizes_each_channel_over_the_batch(self) -> None:
        values = make_activations()
        assert_applies(build_with_drawn_affine("batch").train(), values, standardize(values, (0, 2, 3)))

    def test_eval_uses_the_running_statistics(self) -> None:
        values = make_activations()
        layer = build_with_drawn_affine("batch").train()
        apply(layer, values)
        # After one batch: 0.9 of the start (mean 0, variance 1) and 0.1 of the batch, its variance unbiased.
        mean = 0.1 * values.mean(axis=(0, 2, 3), keepdims=True)
        variance = 0.9 + 0.1 * values.var(axis=(0, 2, 3), ddof=1, keepdims=True)
        others = make_activations()[::-1] * 2
        assert_applies(layer.eval(), others, (others - mean) / np.sqrt(variance + EPS))


class TestPerImage:
    """The other layers treat each image by itself, and training and eval alike."""

    def test_layer_spans_channels_rows_and_columns(self) -> None:
        values = make_activations()
        assert_applies(build_with_drawn_affine("layer"), values, standardize(values, (1, 2, 3)))

    @pytest.mark.parametrize("num_groups", [1, 2, 4, 8])
    def test_group_spans_neighbouring_channels(self, num_groups: int) -> None:
        values = make_activations()
        grouped = values.reshape(4, num_groups, -1)
        expected = standardize(grouped, (2,)).reshape(values.shape)
        assert_applies(build_with_drawn_affine("group", num_groups=num_groups), values, expected)

    def test_instance_spans_one_channel_of_one_image(self) -> None:
        values = make_activations()
        assert_applies(build_with_drawn_affine("instance"), values, standardize(values, (2, 3)))

    @pytest.mark.parametrize("name", ["layer", "group", "instance"])
    def test_eval_gives_what_training_gives_and_keeps_no_statistics(self, name: str) -> None:
        layer = build_with_drawn_affine(name)
        values = make_activations()
        trained = apply(layer.train(), values)
        np.testing.assert_array_equal(apply(layer.eval(), values * 1), trained)
        assert not list(layer.buffers())

    @pytest.mark.parametrize("name", ["layer", "group", "instance"])
    def test_an_image_does_not_depend_on_the_others(self, name: str) -> None:
        layer = build_with_drawn_affine(name)
        values = make_activations()
        np.testing.assert_allclose(apply(layer, values[:1]), apply(layer, values)[:1], rtol=1e-5, atol=1e-6)


def test_one_group_shares_the_statistics_of_layer_norm_but_not_its_parameters() -> None:
    group = build_normalization("group", shape=SHAPE, num_groups=1, affine=True)
    layer = build_normalization("layer", shape=SHAPE, num_groups=1, affine=True)
    values = make_activations()
    np.testing.assert_allclose(apply(group, values), apply(layer, values), rtol=1e-4, atol=1e-5)
    assert group.get_parameter("weight").shape == (8,)
    assert layer.get_parameter("weight").shape == SHAPE


@pytest.mark.parametrize("name", ["batch", "group", "layer", "instance"])
def test_without_affine_there_is_nothing_to_learn(name: str) -> None:
    layer = build_normalization(name, shape=SHAPE, num_groups=2, affine=False)
    assert not list(layer.parameters())


def test_none_changes_nothing() -> None:
    values = make_activations().astype(np.float32).astype(np.float64)
    layer = build_normalization("none", shape=SHAPE, num_groups=1, affine=True)
    np.testing.assert_array_equal(apply(layer, values), values)
