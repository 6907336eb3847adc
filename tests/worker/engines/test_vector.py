"""The vector engine against PyTorch's modules and autograd, and against itself."""

from collections.abc import Iterator
from statistics import median

import pytest
import torch

from lab.experiments.configs import RunConfig
from lab.networks.build import build_network
from tests.conftest import CACHE_DIR
from tests.worker.engines.cases import (
    NETWORKS,
    ROUNDING,
    assert_near,
    differentiate_by_pytorch,
    make_batch,
    make_config,
    make_weights,
    measure_error,
    name_gradient,
)
from worker.engines.compilation import count_lanes
from worker.engines.stacked import StackedEngine
from worker.engines.vector import VectorEngine

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Give PyTorch's number of threads back to the tests as it was."""
    num_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(num_threads)


def make_engine(config: RunConfig, *, num_lanes: int | None = None) -> VectorEngine:
    return VectorEngine(config, num_lanes=num_lanes or count_lanes(), max_threads=3, cache_dir=CACHE_DIR)


# One image, less than a register of them, whole registers, and several of which the last is not full.
@pytest.mark.parametrize("num_images", [1, 5, 16, 37])
@pytest.mark.parametrize("name", NETWORKS)
class TestGradient:
    def test_and_running_statistics_are_those_that_pytorch_finds(self, name: str, num_images: int) -> None:
        config = make_config(name)
        weights, batch = make_weights([config]), make_batch([config], num_images=num_images)
        expected = differentiate_by_pytorch(config, batch, state=weights.export(0))
        gradient = make_engine(config).differentiate(weights, batch)
        assert_near(name_gradient(weights, gradient), expected)

    def test_is_that_of_the_stacked_engine(self, name: str, num_images: int) -> None:
        config = make_config(name, dropout=0.4)
        batch = make_batch([config], num_images=num_images)
        ours, theirs = make_weights([config]), make_weights([config])
        assert_near(
            name_gradient(ours, make_engine(config).differentiate(ours, batch)),
            name_gradient(theirs, StackedEngine([config]).differentiate(theirs, batch)),
        )


@pytest.mark.parametrize("name", NETWORKS)
class TestNetwork:
    def test_gradient_of_most_small_batches_is_off_by_no_more_than_rounding(self, name: str) -> None:
        errors = []
        for seed in range(9):
            config = make_config(name, seed=seed)
            weights, batch = make_weights([config]), make_batch([config], num_images=3)
            expected = differentiate_by_pytorch(config, batch, state=weights.export(0))
            gradient = make_engine(config).differentiate(weights, batch)
            errors.append(measure_error(name_gradient(weights, gradient), expected))
        assert median(errors) < ROUNDING

    def test_without_dropout_drops_nothing(self, name: str) -> None:
        config = make_config(name, dropout=0.0)
        weights, batch = make_weights([config]), make_batch([config], num_images=20)
        expected = differentiate_by_pytorch(config, batch, state=weights.export(0))
        gradient = make_engine(config).differentiate(weights, batch)
        assert_near(name_gradient(weights, gradient), expected)

    @pytest.mark.parametrize("num_images", [1, 37, 150])
    def test_predicts_as_pytorch_does_in_eval_mode(self, name: str, num_images: int) -> None:
        config = make_config(name)
        weights = make_weights([config])
        images = torch.randn(num_images, 1, 28, 28, generator=torch.Generator().manual_seed(1))
        network = build_network(config)
        network.load_state_dict(weights.export(0))
        with torch.no_grad():
            expected = network.double().eval()(images.double())
        before = weights.export(0)
        (answers,) = make_engine(config).predict(weights, images)
        assert_near({"answers": answers}, {"answers": expected}, tolerance=ROUNDING)
        assert all(torch.equal(tensor, before[key]) for key, tensor in weights.export(0).items())

    def test_results_do_not_depend_on_the_number_of_threads(self, name: str) -> None:
        config = make_config(name)
        engine, batch = make_engine(config), make_batch([config], num_images=61)
        results = []
        for num_threads in (1, 2, 3):
            engine.use_threads(num_threads)
            weights = make_weights([config])
            gradient = engine.differentiate(weights, batch)
            answers = engine.predict(weights, batch.images[0].unsqueeze(1))
            results.append([gradient, answers, weights.running_mean, weights.running_var])
        for other in results[1:]:
            assert all(torch.equal(ours, theirs) for ours, theirs in zip(results[0], other, strict=True))

    def test_results_do_not_depend_on_what_was_worked_on_before(self, name: str) -> None:
        config = make_config(name)
        used, fresh = make_engine(config), make_engine(config)
        other = make_config(name, seed=1)
        used.differentiate(make_weights([other]), make_batch([other], num_images=64))
        batch = make_batch([config], num_images=21)
        first, second = (engine.differentiate(make_weights([config]), batch) for engine in (used, fresh))
        assert torch.equal(first, second)

    @pytest.mark.parametrize("num_lanes", [4, 8, 16])
    def test_any_number_of_lanes_gives_the_same_but_for_rounding(self, name: str, num_lanes: int) -> None:
        config = make_config(name)
        weights, batch = make_weights([config]), make_batch([config], num_images=37)
        expected = differentiate_by_pytorch(config, batch, state=weights.export(0))
        gradient = make_engine(config, num_lanes=num_lanes).differentiate(weights, batch)
        assert_near(name_gradient(weights, gradient), expected)


def test_a_value_that_is_no_number_is_passed_on() -> None:
    config = make_config("none", dropout=0.0)
    weights, batch = make_weights([config]), make_batch([config], num_images=20)
    weights.parameters[0, 0] = float("nan")
    engine = make_engine(config)
    assert engine.differentiate(weights, batch).isnan().any()
    assert engine.predict(weights, batch.images[0].unsqueeze(1)).isnan().all()
