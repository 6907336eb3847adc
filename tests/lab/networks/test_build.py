import pytest
import torch
from torch import Tensor, nn

from lab.experiments.configs import NORMALIZATIONS, Normalization, RunConfig
from lab.networks.build import build_network


def make_config(
    normalization: Normalization = "batch", *, affine: bool = True, dropout: float = 0.01, seed: int = 0
) -> RunConfig:
    return RunConfig(
        dataset="digits",
        normalization=normalization,
        affine=affine,
        dropout=dropout,
        seed=seed,
        schedule="constant",
    )


def read_convolutions(network: nn.Sequential) -> list[Tensor]:
    return [module.weight.detach() for module in network if isinstance(module, nn.Conv2d)]


@pytest.mark.parametrize(
    ("normalization", "affine", "expected"),
    [
        ("batch", True, 7_940),
        ("group", True, 7_940),
        ("layer", True, 64_772),
        ("instance", True, 7_940),
        ("instance", False, 7_748),
        ("none", True, 7_748),
    ],
)
def test_has_the_studys_number_of_trainable_parameters(
    normalization: Normalization, affine: bool, expected: int
) -> None:
    network = build_network(make_config(normalization, affine=affine))
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == expected


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("training", [True, False])
def test_gives_ten_log_probabilities_an_image(normalization: Normalization, training: bool) -> None:
    network = build_network(make_config(normalization)).train(training)
    images = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        answers = network(images)
    assert answers.shape == (3, 10)
    torch.testing.assert_close(answers.exp().sum(dim=1), torch.ones(3))


def test_blocks_are_convolution_normalization_relu_dropout() -> None:
    names = list(dict(build_network(make_config()).named_children()))
    assert names[:5] == ["conv1", "norm1", "relu1", "dropout1", "conv2"]
    assert names[-4:] == ["pool11", "conv11", "flatten", "log_softmax"]


def test_group_normalization_has_the_groups_of_the_configuration() -> None:
    network = build_network(make_config("group"))
    groups = [module.num_groups for module in network if isinstance(module, nn.GroupNorm)]
    assert groups == [4, 2, 2, 2, 2, 2, 2]


class TestSeed:
    def test_convolutions_are_the_same_whatever_the_normalization_and_dropout(self) -> None:
        reference = read_convolutions(build_network(make_config("none", dropout=0.0, seed=7)))
        for normalization in NORMALIZATIONS:
            for affine in (True, False):
                network = build_network(make_config(normalization, affine=affine, seed=7))
                for ours, theirs in zip(read_convolutions(network), reference, strict=True):
                    assert torch.equal(ours, theirs)

    def test_another_seed_gives_other_weights_everywhere(self) -> None:
        first, second = (read_convolutions(build_network(make_config(seed=seed))) for seed in (0, 1))
        assert not any(torch.equal(ours, theirs) for ours, theirs in zip(first, second, strict=True))

    def test_weights_do_not_depend_on_the_global_generator(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            first = read_convolutions(build_network(make_config()))
            torch.manual_seed(2)
            second = read_convolutions(build_network(make_config()))
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(first, second, strict=True))

    def test_first_weights_are_those_pytorch_would_draw(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(5)
            expected = nn.Conv2d(1, 16, 3, bias=False).weight.detach()
        assert torch.equal(read_convolutions(build_network(make_config(seed=5)))[0], expected)


@pytest.mark.parametrize(("dropout", "expected"), [(0.25, [0.25] * 7), (0.0, [])])
def test_every_block_drops_with_the_probability_of_the_configuration(
    dropout: float, expected: list[float]
) -> None:
    network = build_network(make_config(dropout=dropout))
    assert [module.p for module in network if isinstance(module, nn.Dropout)] == expected
