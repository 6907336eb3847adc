"""Layers measured over the first epoch: when, what, and at no cost to training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import torch
from torch import nn

from lab.datasets.load import Dataset
from lab.datasets.pixels import normalize_pixels
from lab.experiments.architecture import ROWS
from lab.experiments.configs import NORMALIZATIONS, Normalization, RunConfig
from lab.networks.build import build_network
from lab.runs.epochs import PROBE_SIZE, LayerStatistics, TrainingState
from tests.worker.bench import make_backend, make_fusing_backend
from tests.worker.flat import train
from tests.worker.reports import assert_identical
from worker.training import run_array
from worker.training.probe import list_probe_steps, measure_layers

Layers = dict[int, list[LayerStatistics]]
"""By step."""


def make_config(normalization: Normalization = "batch", *, seed: int = 0) -> RunConfig:
    return RunConfig(
        dataset="digits",
        normalization=normalization,
        dropout=0.1,
        l1=1e-4,
        seed=seed,
        epochs=2,
        batch_size=32,
        schedule="constant",
    )


class Recorder:
    """Keeps what training hands over within an epoch, by run index and step."""

    def __init__(self) -> None:
        self.layers: dict[int, Layers] = {}
        self.states: dict[int, dict[int, TrainingState]] = {}

    def on_probe(self, statistics: Mapping[int, Sequence[LayerStatistics]]) -> None:
        for index, layers in statistics.items():
            self.layers.setdefault(index, {})[layers[0].step] = list(layers)

    def on_checkpoint(self, states: Mapping[int, TrainingState]) -> None:
        for index, state in states.items():
            if state.epoch == 0:
                self.states.setdefault(index, {})[state.step] = state


def measure_again(config: RunConfig, state: TrainingState, data: Dataset) -> list[tuple[float, float, float]]:
    """Each convolution's output mean and variance and its gradient's norm, in double precision."""
    network = build_network(config)
    network.load_state_dict(state.weights)
    network.double().train()
    outputs: dict[nn.Module, torch.Tensor] = {}
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda own, _, output: outputs.update({own: output.detach().clone()})
            )
    images = normalize_pixels(data.train.images[:PROBE_SIZE].double() / 255)
    picked = network(images)[torch.arange(PROBE_SIZE), data.train.labels[:PROBE_SIZE]]
    convolutions = [module for module in network if isinstance(module, nn.Conv2d)]
    gradients = torch.autograd.grad(-picked.mean(), [convolution.weight for convolution in convolutions])
    measured = []
    for convolution, gradient in zip(convolutions, gradients, strict=True):
        output = outputs[convolution]
        variance = (output - output.mean()).square().mean()
        measured.append((float(output.mean()), float(variance), float(gradient.square().sum().sqrt())))
    return measured


@pytest.mark.parametrize(
    ("num_steps", "steps"),
    [
        (1, [0, 1]),
        (2, [0, 1, 2]),
        (4, [0, 1, 4]),
        (12, [0, 1, 4, 12]),
        (469, [0, 1, 4, 16, 64, 256, 469]),
    ],
)
def test_steps_are_the_powers_of_four_and_the_ends(num_steps: int, steps: list[int]) -> None:
    assert list_probe_steps(num_steps) == steps


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_figures_are_those_of_the_network_in_training(
    normalization: Normalization, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_array, "CHECKPOINT_SECONDS", -1.0)
    config, recorder = make_config(normalization), Recorder()

    list(train([config], tiny, on_checkpoint=recorder.on_checkpoint, on_probe=recorder.on_probe))

    assert list(recorder.layers[0]) == [0, 1, 3]
    for step, layers in recorder.layers[0].items():
        assert [(layer.step, layer.layer) for layer in layers] == [(step, row.number) for row in ROWS]
        expected = measure_again(config, recorder.states[0][step], tiny)
        for layer, (mean, variance, norm) in zip(layers, expected, strict=True):
            assert layer.activation_mean == pytest.approx(mean, rel=1e-3, abs=1e-6)
            assert layer.activation_variance == pytest.approx(variance, rel=1e-3)
            assert layer.gradient_norm == pytest.approx(norm, rel=1e-3)


@pytest.mark.parametrize("is_fused", [False, True])
def test_training_does_not_change_by_one_bit(is_fused: bool, tiny: Dataset) -> None:
    configs = [make_config(seed=seed) for seed in (3, 4)]
    backend = make_fusing_backend() if is_fused else make_backend(num_threads=2)
    recorder = Recorder()

    probed = list(train(configs, tiny, backend=backend, on_probe=recorder.on_probe))

    reports = list(train(configs, tiny, backend=backend))
    for index in range(2):
        ours, theirs = (
            [replace(report, run_index=0) for report in each if report.run_index == index]
            for each in (probed, reports)
        )
        assert_identical(ours, theirs)
    assert {index: list(layers) for index, layers in recorder.layers.items()} == {
        0: [0, 1, 3],
        1: [0, 1, 3],
    }
    assert recorder.layers[0] != recorder.layers[1]


def test_a_probe_draws_nothing_and_leaves_the_state_as_it_is(tiny: Dataset) -> None:
    config = make_config()
    state = next(train([config], tiny)).state.weights
    copies = {name: tensor.clone() for name, tensor in state.items()}
    before = torch.get_rng_state()

    measure_layers(config, state, tiny.train, step=0)

    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in copies.items():
        assert torch.equal(state[name], tensor), name


def test_what_is_not_finite_is_none(tiny: Dataset) -> None:
    config = make_config("none")
    state = build_network(config).state_dict()
    state["conv4.weight"].fill_(1e38)

    layers = {layer.layer: layer for layer in measure_layers(config, state, tiny.train, step=0)}

    assert layers[3].activation_variance is not None
    assert (layers[4].activation_variance, layers[1].gradient_norm) == (None, None)
