import pytest
import torch
from torch import nn

from lab.configs import RunConfig
from lab.datasets import Dataset, ImageSet
from lab.networks import build_network, use_generator
from lab.pixels import normalize_pixels
from worker import evaluation
from worker.evaluation import evaluate


@pytest.fixture
def network() -> nn.Sequential:
    """A network with everything that behaves otherwise while training, and running statistics of its own."""
    config = RunConfig(dataset="digits", normalization="batch", dropout=0.5, schedule="constant")
    network = build_network(config)
    use_generator(network, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network(torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(1)))
    return network


def test_measures_the_network_in_eval_mode_on_pictures_as_they_are(
    network: nn.Sequential, tiny: Dataset
) -> None:
    measured = evaluate(network, tiny.test)
    network.eval()
    with torch.no_grad():
        answers = network(normalize_pixels(tiny.test.images.float() / 255))
    torch.testing.assert_close(measured.log_probabilities, answers)
    right = answers[range(40), tiny.test.labels]
    assert measured.loss == pytest.approx(-right.mean().item(), rel=1e-5)
    assert measured.accuracy == (answers.argmax(dim=1) == tiny.test.labels).double().mean().item()


def test_a_perfect_and_a_hopeless_network(tiny: Dataset) -> None:
    labels = tiny.test.labels

    class Oracle(nn.Module):
        def __init__(self, shift: int) -> None:
            super().__init__()
            self.shift = shift

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            answers = nn.functional.one_hot((labels[: len(images)] + self.shift) % 10, 10)
            return (answers * 20.0).log_softmax(dim=1)

    assert evaluate(Oracle(0), tiny.test).accuracy == 1.0
    assert evaluate(Oracle(0), tiny.test).loss < 1e-6
    assert evaluate(Oracle(1), tiny.test).accuracy == 0.0
    assert evaluate(Oracle(1), tiny.test).loss == pytest.approx(20, abs=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_leaves_the_network_as_it_was(network: nn.Sequential, tiny: Dataset, training: bool) -> None:
    network.train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    evaluate(network, tiny.test)
    assert all(module.training is training for module in network.modules())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_follows_no_gradient(network: nn.Sequential, tiny: Dataset) -> None:
    assert not evaluate(network, tiny.test).log_probabilities.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("batch_size", [1, 7, 39, 40, 1_000])
def test_batch_size_does_not_matter(
    network: nn.Sequential, tiny: Dataset, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = evaluate(network, tiny.test)
    monkeypatch.setitem(evaluation.EVALUATION_BATCH_SIZE, "cpu", batch_size)
    measured = evaluate(network, tiny.test)
    torch.testing.assert_close(measured.log_probabilities, expected.log_probabilities)
    assert measured.loss == pytest.approx(expected.loss, rel=1e-5)
    assert measured.accuracy == expected.accuracy


def test_order_of_the_pictures_is_kept(network: nn.Sequential, tiny: Dataset) -> None:
    backwards = ImageSet(tiny.test.images.flip(0), tiny.test.labels.flip(0))
    torch.testing.assert_close(
        evaluate(network, backwards).log_probabilities.flip(0),
        evaluate(network, tiny.test).log_probabilities,
    )


def test_tells_of_every_batch_before_it_is_measured(
    network: nn.Sequential, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(evaluation.EVALUATION_BATCH_SIZE, "cpu", 15)
    order: list[str] = []
    network.register_forward_hook(lambda *_: order.append("measured"))
    evaluate(network, tiny.test, before_batch=lambda: order.append("told"))
    assert order == ["told", "measured"] * 3


def test_is_broken_off_by_what_it_tells(network: nn.Sequential, tiny: Dataset) -> None:
    def refuse() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        evaluate(network, tiny.test, before_batch=refuse)
