from typing import Any

import torch
from torch import Tensor

from lab.experiments.configs import RunConfig
from worker.engines.weights import Weights, lay_out
from worker.training.penalties import Penalties

CPU = torch.device("cpu")


def make_config(**values: Any) -> RunConfig:
    return RunConfig(**{"dataset": "digits", "normalization": "layer", "schedule": "constant", **values})


def differentiate_alone(*configs: RunConfig) -> tuple[Weights, Tensor]:
    """Weights of these runs that are none of them 0, and what the penalties add to a gradient of 0."""
    weights = Weights(configs, device=CPU)
    weights.parameters += 0.01
    gradient = torch.zeros_like(weights.parameters)
    Penalties(configs, layout=weights.layout, device=CPU).add_gradient(gradient, weights.parameters)
    return weights, gradient


def test_each_run_has_the_gradient_that_autograd_finds_of_its_own_sum() -> None:
    configs = [
        make_config(l1=0.25, l2=0.125, penalize="all"),
        make_config(l1=0.5, penalize="weights"),
        make_config(l2=0.25, penalize="all", seed=3),
        make_config(),
        make_config(l1=1e-4, l2=1e-3, penalize="weights"),
    ]
    weights, gradient = differentiate_alone(*configs)
    leaf = weights.parameters.clone().requires_grad_()
    total = torch.zeros(())
    for index, config in enumerate(configs):
        for name, parameter in weights.layout.split(leaf[index : index + 1]).items():
            if config.penalize == "all" or name.startswith("conv"):
                total = total + config.l1 * parameter.abs().sum() + config.l2 * parameter.square().sum()
    (expected,) = torch.autograd.grad(total, leaf)
    torch.testing.assert_close(gradient, expected)
    assert not gradient[3].any()


def test_is_added_to_the_gradient_that_is_there() -> None:
    config = make_config(l1=0.25, l2=0.125, penalize="all")
    weights, alone = differentiate_alone(config)
    gradient = torch.full_like(alone, 2.0)
    Penalties([config], layout=weights.layout, device=CPU).add_gradient(gradient, weights.parameters)
    torch.testing.assert_close(gradient, alone + 2)


def test_of_a_weight_that_is_0_is_0() -> None:
    config = make_config(l1=0.5, l2=0.5, penalize="all")
    layout = lay_out(config)
    gradient = torch.zeros(1, layout.size)
    Penalties([config], layout=layout, device=CPU).add_gradient(gradient, torch.zeros(1, layout.size))
    assert not gradient.any()


def test_all_means_gamma_and_beta_too_and_weights_the_convolutions_alone() -> None:
    _, gradient = differentiate_alone(
        make_config(l1=0.5, penalize="all"), make_config(l1=0.5, penalize="weights")
    )
    # Σ|w| has a gradient of ±1 wherever it reaches.
    assert gradient.ne(0).sum(dim=1).tolist() == [64_772, 7_748]


def test_l2_is_an_sgd_weight_decay_of_twice_its_weight() -> None:
    config = make_config(l2=0.125, penalize="all")
    weights = Weights([config], device=CPU)
    penalties = Penalties([config], layout=weights.layout, device=CPU)
    decayed = weights.parameters.clone().requires_grad_()
    optimizer = torch.optim.SGD([decayed], lr=0.1, momentum=0.9, weight_decay=2 * 0.125)
    velocity = torch.zeros_like(weights.parameters)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        gradient = torch.randn(weights.parameters.shape, generator=generator)
        decayed.grad = gradient.clone()
        optimizer.step()
        penalties.add_gradient(gradient, weights.parameters)
        velocity = 0.9 * velocity + gradient
        weights.parameters -= 0.1 * velocity

    torch.testing.assert_close(weights.parameters, decayed.detach())
