import pytest
import torch

from lab.networks.build import build_network
from tests.worker.engines.cases import CPU, NETWORKS, make_config, make_weights
from worker.engines.weights import Weights, lay_out


@pytest.mark.parametrize("name", NETWORKS)
class TestWeights:
    def test_begin_as_the_network_of_each_configuration(self, name: str) -> None:
        configs = [make_config(name, seed=seed) for seed in (3, 4)]
        weights = Weights(configs, device=CPU)
        for index, config in enumerate(configs):
            expected, state = build_network(config).state_dict(), weights.export(index)
            assert state.keys() == expected.keys()
            for key, tensor in expected.items():
                assert torch.equal(state[key], tensor), key
                assert state[key].dtype == tensor.dtype

    def test_are_loaded_as_they_were_exported(self, name: str) -> None:
        configs = [make_config(name, seed=seed) for seed in (3, 4)]
        weights, others = make_weights(configs), Weights(configs, device=CPU)
        weights.num_batches = 7
        # Each into the other's place.
        for index in range(2):
            others.load(1 - index, weights.export(index))
        for index in range(2):
            ours, theirs = others.export(1 - index), weights.export(index)
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[key], tensor) for key, tensor in theirs.items())

    def test_what_is_exported_does_not_change_with_them(self, name: str) -> None:
        weights = make_weights([make_config(name)])
        state = weights.export(0)
        copies = {key: tensor.clone() for key, tensor in state.items()}
        weights.parameters += 1
        weights.running_mean += 1
        weights.running_var += 1
        assert all(torch.equal(state[key], tensor) for key, tensor in copies.items())


class TestLayout:
    def test_joins_what_it_splits(self) -> None:
        layout = lay_out(make_config("layer"))
        rows = torch.randn(2, layout.size, generator=torch.Generator().manual_seed(0))
        named = layout.split(rows)
        assert layout.size == 64_772
        for index in range(2):
            assert torch.equal(layout.join({name: part[index] for name, part in named.items()}), rows[index])

    def test_what_is_missing_is_0(self) -> None:
        layout = lay_out(make_config("batch"))
        joined = layout.join({"norm1.weight": torch.ones(16)})
        start = layout.offsets["norm1.weight"]
        assert joined.nonzero().flatten().tolist() == list(range(start, start + 16))

    def test_offsets_are_where_the_parameters_lie(self) -> None:
        layout = lay_out(make_config("group"))
        rows = torch.arange(layout.size).unsqueeze(0)
        assert {name: int(part.flatten()[0]) for name, part in layout.split(rows).items()} == layout.offsets
