"""A run trained as part of one stacked network, the same run alone, and the same by another engine.

They differ by nothing but the rounding of float32 sums in another order. At a small learning rate training
does not amplify it: after an epoch no weight, and no log-probability, is further off than ``TOLERANCE``.
"""

from itertools import product

import pytest
import torch

from lab.datasets.load import Dataset, ImageSet
from lab.experiments.configs import NORMALIZATIONS, PENALTIES, Normalization, RunConfig, Schedule
from lab.runs.epochs import EpochReport
from tests.worker.bench import make_backend, make_fusing_backend
from tests.worker.flat import train
from worker.engines.variants import STACKED, Backend

pytestmark = pytest.mark.slow

SCHEDULES: tuple[Schedule, ...] = ("plateau", "onecycle", "constant")
TOLERANCE = 1e-4


@pytest.fixture
def few(tiny: Dataset) -> Dataset:
    """Two batches of pictures."""
    return Dataset(
        info=tiny.info,
        train=ImageSet(tiny.train.images[:32], tiny.train.labels[:32]),
        test=ImageSet(tiny.test.images[:10], tiny.test.labels[:10]),
    )


def make_configs(normalization: Normalization) -> list[RunConfig]:
    """A run of each penalty with each schedule; no two have a seed, a rate or a dropout in common."""
    return [
        RunConfig(
            dataset="digits",
            normalization=normalization,
            l1=l1,
            l2=l2,
            penalize="all" if seed % 2 else "weights",
            schedule=schedule,
            schedule_metric="test",
            epochs=1,
            batch_size=16,
            learning_rate=0.001 * (1 + seed),
            dropout=0.02 * (1 + seed),
            seed=seed,
        )
        for seed, ((l1, l2), schedule) in enumerate(product(PENALTIES.values(), SCHEDULES))
    ]


def train_epoch(configs: list[RunConfig], data: Dataset, *, backend: Backend) -> list[EpochReport]:
    return sorted(train(configs, data, backend=backend), key=lambda report: report.run_index)


def assert_near(ours: EpochReport, theirs: EpochReport) -> None:
    for name, tensor in theirs.state.weights.items():
        torch.testing.assert_close(ours.state.weights[name], tensor, atol=TOLERANCE, rtol=TOLERANCE)
    torch.testing.assert_close(
        ours.test_log_probabilities, theirs.test_log_probabilities, atol=TOLERANCE, rtol=TOLERANCE
    )
    assert ours.train_loss == pytest.approx(theirs.train_loss, abs=TOLERANCE)
    assert ours.state.learning_rate == theirs.state.learning_rate
    assert ours.state.schedule.keys() == theirs.state.schedule.keys()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_run_of_every_penalty_and_schedule_comes_to_the_same_however_it_is_trained(
    few: Dataset, normalization: Normalization
) -> None:
    configs = make_configs(normalization)
    fused = train_epoch(configs, few, backend=make_fusing_backend())
    assert [report.state.variant for report in fused] == [STACKED] * len(configs)
    for config, report in zip(configs, fused, strict=True):
        (alone,) = train_epoch([config], few, backend=make_backend(variant=STACKED))
        (compiled,) = train_epoch([config], few, backend=make_backend())
        assert_near(report, alone)
        assert_near(compiled, alone)


def test_runs_that_can_share_no_network_train_beside_each_other(few: Dataset) -> None:
    configs = [make_configs(normalization)[0] for normalization in ("batch", "layer", "batch")]
    fused = train_epoch(configs, few, backend=make_fusing_backend())
    for config, report in zip(configs, fused, strict=True):
        (alone,) = train_epoch([config], few, backend=make_backend(variant=STACKED))
        assert_near(report, alone)


def test_an_array_is_resumed_with_the_bits_it_would_have_had(few: Dataset) -> None:
    configs = [
        RunConfig(dataset="digits", epochs=2, batch_size=16, schedule="onecycle", seed=seed, dropout=0.1)
        for seed in range(3)
    ]
    backend = make_fusing_backend()
    uninterrupted = list(train(configs, few, backend=backend))
    states = [report.state for report in uninterrupted[:3]]
    resumed = list(train(configs, few, states=states, backend=backend))
    for ours, theirs in zip(resumed, uninterrupted[3:], strict=True):
        assert (ours.run_index, ours.test_loss) == (theirs.run_index, theirs.test_loss)
        for name, tensor in theirs.state.weights.items():
            assert torch.equal(ours.state.weights[name], tensor), name
