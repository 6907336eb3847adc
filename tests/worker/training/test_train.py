import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.datasets.load import Dataset, ImageSet
from lab.datasets.pixels import normalize_pixels
from lab.experiments.configs import NORMALIZATIONS, Normalization, RunConfig
from lab.networks.build import build_network
from lab.runs.epochs import EpochReport
from tests.worker.flat import train
from worker.training import evaluation
from worker.training.callbacks import DivergedError, TrainingStoppedError
from worker.training.evaluation import split_validation

STEPS_PER_EPOCH = 3


def make_config(**values: Any) -> RunConfig:
    """Two epochs of three steps on the tiny data, with everything that draws numbers."""
    defaults = {"dataset": "digits", "epochs": 2, "batch_size": 32, "schedule": "constant", "dropout": 0.1}
    return RunConfig(**{**defaults, **values})


def train_alone(config: RunConfig, data: Dataset) -> list[EpochReport]:
    return list(train([config], data))


def read_figures(report: EpochReport) -> dict[str, Any]:
    """The report's numbers, all but its duration."""
    state_and_duration = ("seconds", "run_index", "test_log_probabilities", "state")
    return {
        field.name: getattr(report, field.name)
        for field in fields(report)
        if field.name not in state_and_duration
    }


def have_same_weights(first: EpochReport, second: EpochReport) -> bool:
    ours, theirs = first.state.weights, second.state.weights
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def assert_identical(first: Sequence[EpochReport], second: Sequence[EpochReport]) -> None:
    assert [read_figures(report) for report in first] == [read_figures(report) for report in second]
    for ours, theirs in zip(first, second, strict=True):
        assert have_same_weights(ours, theirs)
        assert torch.equal(ours.test_log_probabilities, theirs.test_log_probabilities)
        assert ours.state.schedule == theirs.state.schedule


class TestRepeatability:
    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_same_configuration_gives_the_same_numbers(
        self, tiny: Dataset, normalization: Normalization
    ) -> None:
        config = make_config(normalization=normalization, l1=1e-4, l2=1e-3)
        first = train_alone(config, tiny)
        torch.rand(7)  # the global generator stands elsewhere now
        assert_identical(train_alone(config, tiny), first)

    def test_another_seed_gives_others(self, tiny: Dataset) -> None:
        first, second = (train_alone(make_config(seed=seed), tiny) for seed in (0, 1))
        assert not have_same_weights(first[0], second[0])
        assert first[0].test_loss != second[0].test_loss

    @pytest.mark.parametrize(
        "change",
        [
            {"dropout": 0.2},
            {"rotation_degrees": 0.0},
            {"l1": 1e-3},
            {"l2": 1e-2},
            {"momentum": 0.0},
            {"learning_rate": 0.01},
            {"batch_size": 31},
            {"affine": False},
            {"schedule": "onecycle"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_every_field_of_the_recipe_counts(self, tiny: Dataset, change: dict[str, Any]) -> None:
        config = make_config(epochs=1)
        usual, changed = (train_alone(c, tiny)[-1] for c in (config, replace(config, **change)))
        assert usual.state.weights["conv1.weight"].shape == changed.state.weights["conv1.weight"].shape
        assert not have_same_weights(usual, changed)

    def test_penalizing_gamma_and_beta_counts(self, tiny: Dataset) -> None:
        reports = [
            train_alone(make_config(l2=0.1, penalize=penalize), tiny)[-1] for penalize in ("all", "weights")
        ]
        gammas = [report.state.weights["norm1.weight"].abs().mean() for report in reports]
        assert gammas[0] < gammas[1] - 0.01

    def test_runs_together_are_each_as_if_alone(self, tiny: Dataset) -> None:
        configs = [
            make_config(),
            make_config(normalization="layer", epochs=1, seed=5),
            make_config(normalization="group", epochs=3, schedule="onecycle", batch_size=96),
        ]
        reports = list(train(configs, tiny))
        assert [(report.run_index, report.epoch) for report in reports] == [
            (0, 1),
            (1, 1),
            (2, 1),
            (0, 2),
            (2, 2),
            (2, 3),
        ]
        for index, config in enumerate(configs):
            assert_identical(
                [report for report in reports if report.run_index == index], train_alone(config, tiny)
            )

    @pytest.mark.parametrize("drawn", ["order", "rotation_degrees", "dropout"])
    def test_every_epoch_draws_anew(self, tiny: Dataset, drawn: str) -> None:
        changes: dict[str, dict[str, Any]] = {
            "order": {"batch_size": 48},
            "rotation_degrees": {"rotation_degrees": 6.9},
            "dropout": {"dropout": 0.1},
        }
        still = {"rotation_degrees": 0.0, "dropout": 0.0, "batch_size": 96}
        # At this rate no weight moves, so the momentum buffers differ between epochs by the draws alone.
        config = make_config(**{**still, **changes[drawn]}, learning_rate=1e-30, momentum=0.5)
        first, second = (report.state.momentum["conv11.weight"] for report in train_alone(config, tiny))
        carried_over = 0.5 ** (96 // config.batch_size) * first
        assert not torch.allclose(second - carried_over, first, rtol=1e-3, atol=1e-6)

    def test_no_runs_are_no_reports(self, tiny: Dataset) -> None:
        assert list(train([], tiny)) == []


class TestLearning:
    @pytest.mark.slow
    def test_pictures_are_learned(self, tiny: Dataset) -> None:
        config = make_config(epochs=16, batch_size=8, learning_rate=0.1, dropout=0.0, rotation_degrees=0.0)
        reports = train_alone(config, tiny)
        assert reports[-1].train_loss < reports[0].train_loss / 2
        assert reports[-1].train_accuracy > 0.7

    def test_data_is_left_as_it_is(self, tiny: Dataset) -> None:
        parts = (tiny.train.images, tiny.train.labels, tiny.test.images, tiny.test.labels)
        copies = [part.clone() for part in parts]
        train_alone(make_config(), tiny)
        assert all(torch.equal(part, copy) for part, copy in zip(parts, copies, strict=True))


class TestReport:
    def test_figures_are_those_of_the_reported_network_without_its_penalty(self, tiny: Dataset) -> None:
        config = make_config(l1=0.01, l2=0.01, validation_size=16)
        report = train_alone(config, tiny)[-1]
        network = build_network(config)
        network.load_state_dict(report.state.weights)
        train_set, validation_set = split_validation(tiny.train, validation_size=16)
        assert validation_set is not None
        network.eval()
        with torch.no_grad():
            answers = [
                network(normalize_pixels(part.images.float() / 255))
                for part in (train_set, validation_set, tiny.test)
            ]
        labels = [part.labels for part in (train_set, validation_set, tiny.test)]
        losses = [F.nll_loss(*pair).item() for pair in zip(answers, labels, strict=True)]
        assert losses == pytest.approx([report.train_loss, report.validation_loss, report.test_loss])
        assert [
            (part.argmax(dim=1) == digits).double().mean().item()
            for part, digits in zip(answers, labels, strict=True)
        ] == [report.train_accuracy, report.validation_accuracy, report.test_accuracy]
        torch.testing.assert_close(report.test_log_probabilities, answers[2])
        assert report.seconds > 0

    def test_state_is_not_touched_by_what_follows(self, tiny: Dataset) -> None:
        reports = train([make_config()], tiny)
        first = next(reports)
        weights = {name: tensor.clone() for name, tensor in first.state.weights.items()}
        momentum = {name: tensor.clone() for name, tensor in first.state.momentum.items()}
        second = next(reports)
        assert not have_same_weights(first, second)
        assert all(torch.equal(tensor, first.state.weights[name]) for name, tensor in weights.items())
        assert all(torch.equal(tensor, first.state.momentum[name]) for name, tensor in momentum.items())

    def test_learning_rate_is_the_epochs_first(self, tiny: Dataset) -> None:
        reports = train_alone(make_config(schedule="onecycle"), tiny)
        assert reports[0].learning_rate == pytest.approx(0.04 / 25)
        assert reports[1].learning_rate == reports[0].state.learning_rate

    def test_without_validation_images_there_are_no_such_figures(self, tiny: Dataset) -> None:
        report = train_alone(make_config(epochs=1), tiny)[0]
        assert (report.validation_loss, report.validation_accuracy) == (None, None)


class TestValidation:
    def test_split_holds_out_the_last_images(self, tiny: Dataset) -> None:
        kept, held_out = split_validation(tiny.train, validation_size=16)
        assert held_out is not None
        assert (len(kept), len(held_out)) == (80, 16)
        assert torch.equal(torch.cat((kept.images, held_out.images)), tiny.train.images)
        assert torch.equal(torch.cat((kept.labels, held_out.labels)), tiny.train.labels)
        assert split_validation(tiny.train, validation_size=0) == (tiny.train, None)

    def test_images_held_out_are_never_trained_on(self, tiny: Dataset) -> None:
        config = make_config(validation_size=32)
        usual = train_alone(config, tiny)
        elsewhere = train_alone(config, change_training(tiny, slice(64, None)))
        for ours, theirs in zip(usual, elsewhere, strict=True):
            assert have_same_weights(ours, theirs)
            assert ours.train_loss == theirs.train_loss
            assert ours.validation_loss != theirs.validation_loss
        # The last image that is not held out does count.
        changed = train_alone(config, change_training(tiny, slice(63, 64)))
        assert not have_same_weights(usual[0], changed[0])

    def test_test_images_are_never_trained_on(self, tiny: Dataset) -> None:
        config = make_config(schedule="plateau", validation_size=32)
        wrong = replace(tiny, test=ImageSet(255 - tiny.test.images, mislabel(tiny.test.labels)))
        usual, elsewhere = train_alone(config, tiny), train_alone(config, wrong)
        assert have_same_weights(usual[-1], elsewhere[-1])
        assert usual[-1].test_loss != elsewhere[-1].test_loss


class TestPlateau:
    """Wrong labels make the loss on them rise as the network learns, so each loss asks for its rates."""

    RECIPE: ClassVar[dict[str, Any]] = {
        "epochs": 8,
        "batch_size": 16,
        "dropout": 0.0,
        "rotation_degrees": 0.0,
        "schedule": "plateau",
        "validation_size": 32,
    }

    @pytest.mark.parametrize("watched", ["validation", "test"])
    def test_watches_the_loss_it_is_told_to(self, tiny: Dataset, watched: str) -> None:
        config = make_config(**self.RECIPE, schedule_metric=watched)
        reports = train_alone(config, mislabel_validation(tiny, number=32))
        rates = [report.learning_rate for report in reports]
        losses = {
            "validation": [float(report.validation_loss or 0) for report in reports],
            "test": [report.test_loss for report in reports],
        }
        other = "test" if watched == "validation" else "validation"
        assert rates == pytest.approx(follow_plateau(losses[watched]))
        assert rates != pytest.approx(follow_plateau(losses[other]))

    def test_watches_the_test_loss_without_validation_images(self, tiny: Dataset) -> None:
        config = make_config(**{**self.RECIPE, "validation_size": 0, "schedule_metric": "test"})
        reports = train_alone(
            config, replace(tiny, test=ImageSet(tiny.test.images, mislabel(tiny.test.labels)))
        )
        rates = [report.learning_rate for report in reports]
        assert rates == pytest.approx(follow_plateau([report.test_loss for report in reports]))
        assert rates[-1] < rates[0]


def follow_plateau(losses: list[float]) -> list[float]:
    """Each epoch's rate by the study's rule: ×0.8 after two epochs that are not better by 0.1 %."""
    rate, best, num_bad = 0.04, math.inf, 0
    rates = []
    for loss in losses:
        rates.append(rate)
        if loss < best * (1 - 1e-3):
            best, num_bad = loss, 0
        else:
            num_bad += 1
        if num_bad == 2:
            rate, num_bad = rate * 0.8, 0
    return rates


class TestStop:
    def test_is_asked_before_every_step_and_every_batch_that_is_measured(
        self, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(evaluation.EVALUATION_BATCH_SIZE, "cpu", 30)
        asked: list[int] = []

        def should_stop() -> bool:
            asked.append(len(asked))
            return False

        list(train([make_config(validation_size=16)], tiny, should_stop=should_stop))
        # 80 images to train on, 16 held out, 40 to test.
        assert len(asked) == 2 * (STEPS_PER_EPOCH + 3 + 1 + 2)

    @pytest.mark.parametrize("allowed", [0, 1, STEPS_PER_EPOCH, 4, 5, 5 + STEPS_PER_EPOCH - 1, 9])
    def test_ends_the_training_and_leaves_what_was_reported(self, tiny: Dataset, allowed: int) -> None:
        # Five questions an epoch: three steps, and one batch of each of the two sets.
        answers = iter([False] * allowed + [True])
        reports: list[EpochReport] = []
        with pytest.raises(TrainingStoppedError):
            reports.extend(train([make_config()], tiny, should_stop=lambda: next(answers)))
        assert_identical(reports, train_alone(make_config(), tiny)[: allowed // 5])


def test_diverged_run_is_named_with_its_learning_rate(tiny: Dataset) -> None:
    diverging = make_config(normalization="none", learning_rate=10.0, l2=1.0)
    reports: list[EpochReport] = []
    with pytest.raises(DivergedError) as error:
        reports.extend(train([make_config(), diverging], tiny))
    assert error.value.run_index == 1
    assert str(error.value) == ("The loss was no longer finite after epoch 1; try a learning rate below 10.")
    assert [(report.run_index, report.epoch) for report in reports] == [(0, 1)]


def mislabel(labels: Tensor) -> Tensor:
    return (labels + 1) % 10


def mislabel_validation(data: Dataset, *, number: int) -> Dataset:
    labels = torch.cat((data.train.labels[:-number], mislabel(data.train.labels[-number:])))
    return replace(data, train=ImageSet(data.train.images, labels))


def change_training(data: Dataset, where: slice) -> Dataset:
    """The same data set with other pictures and labels in some places of the training set."""
    images, labels = data.train.images.clone(), data.train.labels.clone()
    images[where] = 255 - images[where]
    labels[where] = mislabel(labels[where])
    return replace(data, train=ImageSet(images, labels))
