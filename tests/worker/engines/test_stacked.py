"""Networks stacked to one: each is what it would be alone."""

import pytest
import torch

from lab.experiments.configs import PENALTIES
from lab.networks.build import build_network
from tests.worker.engines.cases import (
    CPU,
    NETWORKS,
    ROUNDING,
    assert_near,
    differentiate_by_pytorch,
    make_batch,
    make_config,
    make_weights,
    name_gradient,
)
from worker.engines.interface import Batch
from worker.engines.stacked import StackedEngine
from worker.training.penalties import Penalties


@pytest.mark.parametrize("name", NETWORKS)
def test_each_gradient_is_that_of_the_run_alone(name: str) -> None:
    configs = [
        make_config(name, l1=l1, l2=l2, dropout=0.05 + 0.1 * seed, seed=seed)
        for seed, (l1, l2) in enumerate(PENALTIES.values())
    ]
    weights, batch = make_weights(configs), make_batch(configs, num_images=13)
    before = [weights.export(index) for index in range(len(configs))]
    gradient = StackedEngine(configs).differentiate(weights, batch)
    fused_penalties = Penalties(configs, layout=weights.layout, device=CPU)
    fused_penalties.add_gradient(gradient, weights.parameters)
    for index, config in enumerate(configs):
        only = Batch(batch.images[index : index + 1], batch.labels[index : index + 1], [batch.dropped[index]])
        alone = make_weights([config])
        own = StackedEngine([config]).differentiate(alone, only)
        expected = differentiate_by_pytorch(config, batch, state=before[index], index=index)
        assert_near(name_gradient(alone, own), expected)
        Penalties([config], layout=alone.layout, device=CPU).add_gradient(own, alone.parameters)
        assert_near(name_gradient(weights, gradient, index=index), name_gradient(alone, own))


@pytest.mark.parametrize("name", NETWORKS)
def test_each_predicts_as_pytorch_does_in_eval_mode(name: str) -> None:
    configs = [make_config(name, seed=seed) for seed in range(3)]
    weights = make_weights(configs)
    images = torch.randn(21, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    before = [weights.export(index) for index in range(3)]
    answers = StackedEngine(configs).predict(weights, images)
    for index, config in enumerate(configs):
        network = build_network(config)
        network.load_state_dict(before[index])
        with torch.no_grad():
            expected = network.double().eval()(images.double())
        assert_near({"answers": answers[index]}, {"answers": expected}, tolerance=ROUNDING)
        assert all(torch.equal(tensor, before[index][key]) for key, tensor in weights.export(index).items())
