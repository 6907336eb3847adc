"""Several steps of every engine against the same training in float64, written out plainly.

Where an activation lies within rounding of 0, or two pixels of a pooled window within rounding of each
other, float32 may decide otherwise than float64, and the gradient jumps. A few of the trainings here meet
such a place; at their small learning rate it changes little (``TestChaos`` has one where it changes much). So
half of the trainings must be as near as PyTorch's own float32, and each nearer than a fault would leave it.
"""

from dataclasses import replace
from itertools import chain, product
from statistics import median_low
from typing import get_args

import pytest
import torch

from lab.datasets.load import Dataset, ImageSet
from lab.experiments.configs import Penalize, RunConfig, Schedule
from lab.runs.epochs import EpochReport
from tests.worker.bench import make_backend, make_fusing_backend
from tests.worker.engines.cases import NETWORKS, make_config
from tests.worker.reference import (
    CHAOTIC,
    CHAOTIC_DECISION,
    Named,
    SwappedPool,
    Trained,
    measure_stray,
    pool_max,
    read_initial,
    take_seventy,
    train_plainly,
)
from worker.engines.variants import STACKED, Backend
from worker.training.train import train

pytestmark = pytest.mark.slow

VECTORS = ("vector-4", "vector-8", "vector-16")
SCHEDULES: tuple[Schedule, ...] = ("onecycle", "plateau")
# Large enough that a penalty left out, doubled or on the wrong parameters leads far apart.
PENALTIES = ((0.0, 0.0), (0.01, 0.0), (0.0, 0.1), (0.01, 0.1))

# Times as far as PyTorch's float32, which strays by some 1e-5 of the way where no decision is changed.
FACTOR = 8
# As far as one changed decision leads here. A penalty left out leads farther.
KINK = 0.1
# Running statistics stray by 1e-6 at most here; a variance over n in place of n - 1 is off by more than this.
STATISTICS = 1e-5


def make_configs(name: str) -> list[RunConfig]:
    """A training of each penalty; over all networks each penalty meets each schedule and extent."""
    extents = list(product(SCHEDULES, get_args(Penalize)))
    shift = list(NETWORKS).index(name)
    configs = []
    for seed, (l1, l2) in enumerate(PENALTIES):
        schedule, penalize = extents[(seed + shift) % len(extents)]
        configs.append(
            make_config(
                name,
                l1=l1,
                l2=l2,
                penalize=penalize,
                schedule=schedule,
                schedule_metric="test",
                # The plateau schedule lowers the rate after the third epoch at the earliest.
                epochs=4 if schedule == "plateau" else 2,
                batch_size=4,
                learning_rate=0.001,
                dropout=0.0,
                rotation_degrees=0.0,
                seed=seed,
            )
        )
    return configs


@pytest.fixture
def few(tiny: Dataset) -> Dataset:
    """A batch of four images and one of two; wrong test labels, on which the loss soon stops falling."""
    return Dataset(
        info=tiny.info,
        train=ImageSet(tiny.train.images[:6], tiny.train.labels[:6]),
        test=ImageSet(tiny.test.images[:10], (tiny.test.labels[:10] + 1) % 10),
    )


def train_by(backend: Backend, configs: list[RunConfig], data: Dataset) -> list[list[EpochReport]]:
    """The reports of each run, epoch by epoch."""
    reports = list(chain.from_iterable(train(configs, data, backend=backend)))
    return [[report for report in reports if report.run_index == index] for index in range(len(configs))]


def measure_strays(configs: list[RunConfig], trained: list[Named], exact: list[Trained]) -> list[float]:
    return [
        measure_stray(ours, theirs.parameters, start=read_initial(config))
        for config, ours, theirs in zip(configs, trained, exact, strict=True)
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_engine_takes_the_steps_of_float64(few: Dataset, name: str) -> None:
    configs = make_configs(name)
    exact = [train_plainly(config, few, dtype=torch.float64) for config in configs]
    single = [train_plainly(config, few, dtype=torch.float32).parameters for config in configs]
    allowed = measure_strays(configs, single, exact)
    backends = {variant: make_backend(variant=variant) for variant in (*VECTORS, STACKED)}
    for engine, backend in {**backends, "fused": make_fusing_backend()}.items():
        runs = train_by(backend, configs, few)
        strays = measure_strays(configs, [run[-1].state.weights for run in runs], exact)
        assert median_low(strays) <= FACTOR * median_low(allowed), engine
        for run, stray, theirs, limit in zip(runs, strays, exact, allowed, strict=True):
            assert stray <= max(KINK, FACTOR * limit), engine
            assert [report.learning_rate for report in run] == pytest.approx(theirs.learning_rates)
            for key, expected in theirs.running.items():
                found = run[-1].state.weights[key].double()
                torch.testing.assert_close(found, expected, atol=STATISTICS, rtol=STATISTICS)
            assert [report.test_loss for report in run] == pytest.approx(theirs.test_losses, rel=1e-4)


@pytest.fixture(scope="module")
def seventy(digits: Dataset) -> Dataset:
    return take_seventy(digits)


@pytest.fixture(scope="module")
def ways(seventy: Dataset) -> list[Named]:
    """The weights of float64 as it decides, and with one decision changed."""
    return [
        train_plainly(CHAOTIC, seventy, dtype=torch.float64, pool=pool).parameters
        for pool in (pool_max, SwappedPool(**CHAOTIC_DECISION))
    ]


class TestChaos:
    """``CHAOTIC``, where one decision within rounding leads float64 itself far apart."""

    def test_one_decision_within_rounding_leads_float64_far_apart(
        self, seventy: Dataset, ways: list[Named]
    ) -> None:
        pool = SwappedPool(**CHAOTIC_DECISION)
        train_plainly(replace(CHAOTIC, epochs=1), seventy, dtype=torch.float64, pool=pool)
        assert 0 < pool.difference < 2e-6
        assert measure_stray(ways[1], ways[0], start=read_initial(CHAOTIC)) > 0.2

    @pytest.mark.parametrize("variant", VECTORS)
    def test_an_engine_takes_one_of_the_two_ways(
        self, seventy: Dataset, ways: list[Named], variant: str
    ) -> None:
        ((*_, last),) = train_by(make_backend(variant=variant), [CHAOTIC], seventy)
        start = read_initial(CHAOTIC)
        assert min(measure_stray(last.state.weights, way, start=start) for way in ways) < 1e-4
