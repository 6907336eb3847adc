import copy

import torch
from torch import nn

from lab.configs import RunConfig
from lab.networks import build_network
from worker.penalties import select_penalized, sum_penalty


def make_network() -> nn.Sequential:
    return build_network(RunConfig(dataset="digits", normalization="layer", schedule="constant"))


class TestSelect:
    def test_all_means_gamma_and_beta_too(self) -> None:
        network = make_network()
        assert sum(p.numel() for p in select_penalized(network, penalize="all")) == 64_772

    def test_weights_means_the_convolutions_alone(self) -> None:
        network = make_network()
        selected = select_penalized(network, penalize="weights")
        assert sum(p.numel() for p in selected) == 7_748
        assert [id(p) for p in selected] == [
            id(p) for name, p in network.named_parameters() if name.startswith("conv")
        ]


class TestSum:
    def test_is_what_a_hand_works_out(self) -> None:
        parameters = [torch.tensor([1.0, -2.0]), torch.tensor([[0.5], [-0.5]])]
        # Σ|w| = 4, Σw² = 5.5
        assert sum_penalty(parameters, l1=0.5, l2=0.0).item() == 2.0
        assert sum_penalty(parameters, l1=0.0, l2=2.0).item() == 11.0
        assert sum_penalty(parameters, l1=0.5, l2=2.0).item() == 13.0

    def test_first_loss_of_layer_norm_carries_its_gammas(self) -> None:
        # 28,512 γ that start at 1 add 28.5 at the study's λ2.
        network = make_network()
        convolutions = sum_penalty(select_penalized(network, penalize="weights"), l1=0, l2=1e-3)
        everything = sum_penalty(select_penalized(network, penalize="all"), l1=0, l2=1e-3)
        torch.testing.assert_close(everything - convolutions, torch.tensor(28.512), atol=1e-3, rtol=0)

    def test_gradient_is_sign_and_twice_the_weight(self) -> None:
        weight = torch.tensor([[0.3, -0.7], [0.0, 2.0]], requires_grad=True)
        sum_penalty([weight], l1=0.25, l2=0.125).backward()
        expected = 0.25 * weight.detach().sign() + 2 * 0.125 * weight.detach()
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, expected)

    def test_squares_are_a_weight_decay_of_twice_the_factor(self) -> None:
        images = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        l2 = 0.01

        def step(network: nn.Sequential, *, penalty: float, weight_decay: float) -> None:
            optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=weight_decay)
            for _ in range(2):
                loss = network(images)[:, 3].mean().neg()
                loss = loss + sum_penalty(select_penalized(network, penalize="all"), l1=0, l2=penalty)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

        penalized = make_network().eval()
        decayed = copy.deepcopy(penalized)
        start = copy.deepcopy(penalized)
        step(penalized, penalty=l2, weight_decay=0)
        step(decayed, penalty=0, weight_decay=2 * l2)
        for ours, theirs, before in zip(
            penalized.parameters(), decayed.parameters(), start.parameters(), strict=True
        ):
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
            assert not torch.equal(ours, before) or not before.any()
