import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.datasets.load import Dataset, ImageSet
from lab.datasets.pixels import normalize_pixels
from lab.experiments.configs import RunConfig
from lab.networks.build import build_network
from worker.engines.interface import Engine
from worker.engines.stacked import StackedEngine
from worker.engines.weights import Weights
from worker.training import evaluation
from worker.training.evaluation import Evaluation, evaluate

CONFIG = RunConfig(dataset="digits", normalization="batch", dropout=0.5, schedule="constant")


class Measured:
    """A network with everything that behaves otherwise while training, and statistics of its own."""

    def __init__(self) -> None:
        self.network = build_network(CONFIG)
        with torch.no_grad():
            self.network(torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(1)))
        self.weights = Weights([CONFIG], device=torch.device("cpu"))
        self.weights.load(0, self.network.state_dict())
        self.engine: Engine = StackedEngine([CONFIG])

    def evaluate(self, image_set: ImageSet) -> Evaluation:
        (measured,) = evaluate(self.engine, self.weights, image_set)
        return measured


class Oracle(StackedEngine):
    """Knows the labels; answers ``shifts`` beyond them, one a run."""

    def __init__(self, labels: Tensor, shifts: list[int]) -> None:
        super().__init__([CONFIG])
        self._answers = [F.one_hot((labels + shift) % 10, 10) * 20.0 for shift in shifts]

    def predict(self, weights: Weights, images: Tensor) -> Tensor:
        return torch.stack(self._answers)[:, : len(images)].log_softmax(dim=2)


@pytest.fixture
def measured() -> Measured:
    return Measured()


def test_measures_the_network_in_eval_mode_on_pictures_as_they_are(measured: Measured, tiny: Dataset) -> None:
    result = measured.evaluate(tiny.test)
    with torch.no_grad():
        answers = measured.network.eval()(normalize_pixels(tiny.test.images.float() / 255))
    torch.testing.assert_close(result.log_probabilities, answers)
    right = answers[range(40), tiny.test.labels]
    assert result.loss == pytest.approx(-right.mean().item(), rel=1e-5)
    assert result.accuracy == (answers.argmax(dim=1) == tiny.test.labels).double().mean().item()


def test_tells_a_perfect_from_a_hopeless_network(measured: Measured, tiny: Dataset) -> None:
    oracle = Oracle(tiny.test.labels, [0, 1])
    perfect, hopeless = evaluate(oracle, measured.weights, tiny.test)
    assert perfect.accuracy == 1.0
    assert perfect.loss < 1e-6
    assert hopeless.accuracy == 0.0
    assert hopeless.loss == pytest.approx(20, abs=1e-3)


def test_leaves_the_network_as_it_was_and_follows_no_gradient(measured: Measured, tiny: Dataset) -> None:
    before = measured.weights.export(0)
    assert not measured.evaluate(tiny.test).log_probabilities.requires_grad
    for name, tensor in measured.weights.export(0).items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("batch_size", [1, 7, 39, 40, 1_000])
def test_batch_size_does_not_matter(
    measured: Measured, tiny: Dataset, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = measured.evaluate(tiny.test)
    monkeypatch.setitem(evaluation.EVALUATION_BATCH_SIZE, "cpu", batch_size)
    result = measured.evaluate(tiny.test)
    torch.testing.assert_close(result.log_probabilities, expected.log_probabilities)
    assert result.loss == pytest.approx(expected.loss, rel=1e-5)
    assert result.accuracy == expected.accuracy


def test_order_of_the_pictures_is_kept(measured: Measured, tiny: Dataset) -> None:
    backwards = ImageSet(tiny.test.images.flip(0), tiny.test.labels.flip(0))
    torch.testing.assert_close(
        measured.evaluate(backwards).log_probabilities.flip(0),
        measured.evaluate(tiny.test).log_probabilities,
    )


def test_tells_of_every_batch_before_it_is_measured(
    measured: Measured, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(evaluation.EVALUATION_BATCH_SIZE, "cpu", 15)
    order: list[str] = []

    class Teller(StackedEngine):
        def predict(self, weights: Weights, images: Tensor) -> Tensor:
            order.append("measured")
            return super().predict(weights, images)

    evaluate(Teller([CONFIG]), measured.weights, tiny.test, before_batch=lambda: order.append("told"))
    assert order == ["told", "measured"] * 3


def test_is_broken_off_by_what_it_tells(measured: Measured, tiny: Dataset) -> None:
    def refuse() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        evaluate(measured.engine, measured.weights, tiny.test, before_batch=refuse)
