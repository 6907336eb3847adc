"""Batch norm's running statistics and its output in eval mode, against the networks' own layer."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lab.networks.normalizations import build_normalization
from service.appendix.explanation import INFERENCE
from service.appendix.inference import (
    MOMENTUM,
    START_MEAN,
    START_VARIANCE,
    normalize_by_running,
    update_running,
)
from service.appendix.sample import STUDY_SAMPLE
from service.appendix.statistics import work_out
from tests.service.appendix.test_statistics import make_tensor
from worker.engines.interface import BATCH_NORM_MOMENTUM, NORMALIZATION_EPS

STUDY = work_out(STUDY_SAMPLE)
PIXELS = [[[[float(v) for v in r] for r in c] for c in n] for n in STUDY_SAMPLE.pixels]


def build_batch_norm(channels: int) -> nn.BatchNorm2d:
    layer = build_normalization("batch", shape=(channels, 2, 2), num_groups=1, affine=True)
    assert isinstance(layer, nn.BatchNorm2d)
    return layer.double()


class TestConstants:
    def test_they_are_those_of_the_networks_and_of_the_engines(self) -> None:
        layer = build_batch_norm(1)
        assert layer.momentum == float(MOMENTUM) == BATCH_NORM_MOMENTUM
        assert layer.running_mean is not None
        assert layer.running_var is not None
        assert layer.running_mean.item() == float(START_MEAN)
        assert layer.running_var.item() == float(START_VARIANCE)
        assert any(f"networks use {layer.eps:.5f}," in note for note in STUDY.notes)
        assert layer.eps == NORMALIZATION_EPS

    def test_weight_of_the_starting_values_is_that_of_many_batches(self) -> None:
        layer, x = build_batch_norm(4), make_tensor(PIXELS)
        left = {}
        for batch in range(1, 45):
            layer.train()(x)
            assert layer.running_mean is not None
            # The distance to the batch's mean, which was 0.375 at the start.
            left[batch] = f"{100 * (layer.running_mean[0].item() + 0.375) / 0.375:.0f} % after {batch}"
        assert f"{left[10]}, {left[44]}" in " ".join(INFERENCE)

    def test_other_normalizations_have_no_running_statistics(self) -> None:
        for name in ("group", "layer", "instance"):
            layer = build_normalization(name, shape=(4, 2, 2), num_groups=2, affine=True).double()
            x = make_tensor(PIXELS)
            assert list(layer.buffers()) == []
            torch.testing.assert_close(layer.eval()(x[:1]), layer.train()(x)[:1])


class TestUpdate:
    def test_study_s_blue_channel_by_hand(self) -> None:
        blue = update_running(STUDY)[0]
        # The blue values have n = 16, Σx = −6 and Σx² = 72.
        assert blue.unbiased_variance == (72 - Fraction(36, 16)) / 15 == Fraction("4.65")
        assert (blue.mean, blue.variance) == (Fraction("-0.0375"), Fraction("1.365"))

    @settings(deadline=None, max_examples=40)
    @given(data=st.data())
    def test_any_tensor_is_what_torch_gives(self, data: st.DataObject) -> None:
        shape = [data.draw(st.integers(1, 3)) for _ in range(3)] + [2]
        number = st.integers(-400, 400).map(lambda hundredths: hundredths / 100)
        count, channels = shape[0] * shape[1] * shape[2] * 2, shape[1]
        x = make_tensor(data.draw(st.lists(number, min_size=count, max_size=count))).reshape(shape)
        gamma, beta = (data.draw(st.lists(number, min_size=channels, max_size=channels)) for _ in range(2))
        layer = build_batch_norm(channels)
        with torch.no_grad():
            layer.weight.copy_(make_tensor(gamma))
            layer.bias.copy_(make_tensor(beta))

        appendix = work_out(x.tolist(), groups=1, eps=layer.eps, gamma=gamma, beta=beta)
        running = update_running(appendix)
        layer.train()(x)
        for ours, theirs in (
            ([float(one.mean) for one in running], layer.running_mean),
            ([float(one.variance) for one in running], layer.running_var),
            (normalize_by_running(appendix, running), layer.eval()(x).detach()),
        ):
            torch.testing.assert_close(make_tensor(ours), theirs, rtol=1e-9, atol=1e-9)

    def test_a_single_value_per_channel_has_none(self) -> None:
        assert update_running(work_out([[[[1]], [[2]]]])) == ()
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            build_batch_norm(2).train()(make_tensor([[[[1.0]], [[2.0]]]]))
