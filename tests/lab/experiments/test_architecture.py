import pytest
import torch
from torch import Tensor, nn

from lab.experiments.architecture import NORMALIZED_CHANNELS, ROWS, describe_layers
from lab.experiments.configs import NORMALIZATIONS, STUDY_GROUPS, Normalization, RunConfig
from lab.networks.build import build_network

# Row → (shape its convolution puts out, the convolution's parameters), from the study's table.
STUDY_TABLE = {
    1: ((16, 26, 26), 144),
    2: ((8, 26, 26), 128),
    3: ((8, 24, 24), 576),
    4: ((16, 24, 24), 1152),
    5: ((8, 12, 12), 128),
    6: ((8, 10, 10), 576),
    7: ((14, 10, 10), 1008),
    8: ((8, 10, 10), 112),
    9: ((16, 8, 8), 1152),
    10: ((18, 6, 6), 2592),
    11: ((10, 1, 1), 180),
}
PARAMETERS = [
    ("batch", True, 7_940),
    ("group", True, 7_940),
    ("layer", True, 64_772),
    ("instance", True, 7_940),
    ("instance", False, 7_748),
    ("none", True, 7_748),
]


def make_config(normalization: Normalization, *, affine: bool = True, dropout: float = 0.01) -> RunConfig:
    return RunConfig(
        dataset="digits",
        normalization=normalization,
        affine=affine,
        dropout=dropout,
        schedule="constant",
    )


def test_convolutions_are_those_of_the_study_table() -> None:
    convolutions = {
        layer.row: (layer.output_shape, layer.parameters)
        for layer in describe_layers("none")
        if layer.type == "Conv2d"
    }
    assert convolutions == STUDY_TABLE


def test_blocks_and_pools_stand_where_the_study_has_them() -> None:
    assert [row.number for row in ROWS if row.is_block] == [1, 3, 4, 6, 7, 9, 10]
    assert {row.number: (row.pool, row.pool_size) for row in ROWS if row.pool} == {
        5: ("max", 2),
        11: ("average", 6),
    }
    assert NORMALIZED_CHANNELS == (16, 8, 16, 8, 14, 16, 18)


@pytest.mark.parametrize(("normalization", "affine", "expected"), PARAMETERS)
def test_table_counts_the_parameters_of_the_study(
    normalization: Normalization, affine: bool, expected: int
) -> None:
    layers = describe_layers(normalization, num_groups=STUDY_GROUPS, affine=affine)
    assert sum(layer.parameters for layer in layers) == expected


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_table_counts_the_multiply_adds_of_the_study(normalization: Normalization) -> None:
    assert sum(layer.multiply_adds for layer in describe_layers(normalization)) == 1_534_452


def test_dropout_is_listed_only_where_there_is_some() -> None:
    without, with_some = describe_layers("batch"), describe_layers("batch", dropout=0.25)
    assert "Dropout" not in {layer.type for layer in without}
    assert [layer.detail for layer in with_some if layer.type == "Dropout"] == ["p = 0.25"] * 7


def test_details_tell_the_normalizations_apart() -> None:
    def details(normalization: str, **given: bool) -> list[str]:
        layers = describe_layers(normalization, num_groups=STUDY_GROUPS, **given)
        return [layer.detail for layer in layers if layer.name.startswith("norm")]

    assert details("group")[:2] == ["4 groups of 4", "2 groups of 4"]
    assert details("layer")[0] == "over 16×26×26"
    assert details("instance", affine=False)[0] == "16 channels, no γ and β"


class TestAgainstTheNetwork:
    """The table is not built from the network, so each must be what the other says."""

    @pytest.mark.parametrize("affine", [True, False])
    @pytest.mark.parametrize("dropout", [0.0, 0.01])
    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_layers_shapes_and_parameters_agree(
        self, normalization: Normalization, dropout: float, affine: bool
    ) -> None:
        config = make_config(normalization, affine=affine, dropout=dropout)
        network = build_network(config).eval()
        described = describe_layers(
            normalization, num_groups=config.num_groups, affine=affine, dropout=dropout
        )
        shapes = record_output_shapes(network)
        modules = dict(network.named_children())
        # The last layer of the table stands for flatten and log-softmax, which change no number's place.
        assert [layer.name for layer in described[:-1]] == list(modules)[:-2]
        for layer in described[:-1]:
            assert layer.type == type(modules[layer.name]).__name__
            assert layer.output_shape == shapes[layer.name]
            assert layer.parameters == sum(p.numel() for p in modules[layer.name].parameters())

    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_names_are_those_of_the_state_dict(self, normalization: Normalization) -> None:
        config = make_config(normalization)
        in_state = {name.split(".")[0] for name in build_network(config).state_dict()}
        described = describe_layers(normalization, num_groups=config.num_groups)
        assert {layer.name for layer in described if layer.parameters} == in_state

    def test_multiply_adds_are_those_of_each_convolution(self) -> None:
        network = build_network(make_config("none"))
        shapes = record_output_shapes(network)
        for layer in describe_layers("none"):
            if layer.type == "Conv2d":
                _, height, width = shapes[layer.name]
                weight = network.get_submodule(layer.name).weight
                assert isinstance(weight, Tensor)
                assert layer.multiply_adds == weight.numel() * height * width


def record_output_shapes(network: nn.Sequential) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def record(name: str, output: Tensor) -> None:
        shapes[name] = tuple(output.shape[1:])

    for name, module in network.named_children():
        module.register_forward_hook(lambda _module, _inputs, output, name=name: record(name, output))
    with torch.no_grad():
        network(torch.zeros(1, 1, 28, 28))
    return shapes
