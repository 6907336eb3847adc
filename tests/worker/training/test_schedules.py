import json
from typing import Any, get_args

import pytest
import torch
from torch import nn
from torch.optim import SGD

from lab.experiments.configs import RunConfig
from lab.experiments.configs import Schedule as ScheduleName
from worker.training.schedules import Schedule, build_schedule

NUM_IMAGES = 25
STEPS_PER_EPOCH = 3


def start(schedule: ScheduleName, *, epochs: int = 10, learning_rate: float = 0.04) -> tuple[SGD, Schedule]:
    """An optimizer and its schedule, for epochs of three steps, the last of them short."""
    config = RunConfig(
        dataset="digits",
        schedule=schedule,
        schedule_metric="test",
        epochs=epochs,
        batch_size=10,
        learning_rate=learning_rate,
    )
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=learning_rate, momentum=0.9)
    return optimizer, build_schedule(config, optimizer=optimizer, num_images=NUM_IMAGES)


def read_rate(optimizer: SGD) -> float:
    return float(optimizer.param_groups[0]["lr"])


def run_epoch(optimizer: SGD, schedule: Schedule, loss: float) -> list[float]:
    """The rates of the epoch's steps."""
    rates = []
    for _ in range(STEPS_PER_EPOCH):
        rates.append(read_rate(optimizer))
        optimizer.step()
        schedule.after_step()
    schedule.after_epoch(loss)
    return rates


def run_epochs(optimizer: SGD, schedule: Schedule, losses: list[float]) -> list[float]:
    return [rate for loss in losses for rate in run_epoch(optimizer, schedule, loss)]


class TestPlateau:
    @pytest.mark.parametrize(
        ("losses", "factors"),
        [
            # Rate of the epoch after each loss, in units of the first.
            ([1.0, 0.9, 0.8, 0.7], [1, 1, 1, 1]),
            ([1.0, 1.0, 1.0, 1.0, 1.0], [1, 1, 0.8, 0.8, 0.64]),
            ([1.0, 2.0, 0.5, 2.0, 0.4], [1, 1, 1, 1, 1]),
            # Better by less than 0.1 % is no better.
            ([1.0, 0.9995, 0.9992], [1, 1, 0.8]),
            ([1.0, 0.9995, 0.998, 0.998], [1, 1, 1, 1]),
        ],
    )
    def test_falls_after_two_epochs_without_improvement(
        self, losses: list[float], factors: list[float]
    ) -> None:
        optimizer, schedule = start("plateau")
        rates = []
        for loss in losses:
            schedule.after_epoch(loss)
            rates.append(read_rate(optimizer))
        assert rates == pytest.approx([0.04 * factor for factor in factors])

    def test_never_falls_below_the_least(self) -> None:
        optimizer, schedule = start("plateau")
        for _ in range(200):
            schedule.after_epoch(1.0)
        assert read_rate(optimizer) == pytest.approx(1e-4)

    def test_steps_change_nothing(self) -> None:
        optimizer, schedule = start("plateau")
        assert set(run_epochs(optimizer, schedule, [1.0])) == {0.04}


class TestOneCycle:
    def test_rises_for_thirty_percent_of_the_steps_then_falls_to_nothing(self) -> None:
        optimizer, schedule = start("onecycle", epochs=10)
        rates = run_epochs(optimizer, schedule, [1.0] * 10)
        peak = rates.index(max(rates))
        assert len(rates) == 30
        assert peak == 8  # the ninth of thirty steps
        assert rates[peak] == pytest.approx(0.04)
        assert rates[: peak + 1] == sorted(rates[: peak + 1])
        assert rates[peak:] == sorted(rates[peak:], reverse=True)
        assert rates[0] == pytest.approx(0.04 / 25)
        assert rates[-1] < 1e-6

    def test_momentum_stays(self) -> None:
        optimizer, schedule = start("onecycle")
        run_epochs(optimizer, schedule, [1.0] * 5)
        assert optimizer.param_groups[0]["momentum"] == 0.9

    @pytest.mark.parametrize("epochs", [1, 2])
    def test_short_trainings_have_one_too(self, epochs: int) -> None:
        optimizer, schedule = start("onecycle", epochs=epochs)
        rates = run_epochs(optimizer, schedule, [1.0] * epochs)
        assert max(rates) == pytest.approx(0.04, rel=0.05)
        assert rates[-1] == min(rates)


def test_constant_never_changes() -> None:
    optimizer, schedule = start("constant")
    assert set(run_epochs(optimizer, schedule, [1.0, 2.0, 3.0, 4.0])) == {0.04}
    assert read_rate(optimizer) == 0.04


class TestState:
    LOSSES = (1.0, 1.1, 0.9, 0.95, 0.96, 0.97, 0.2, 0.3, 0.4, 0.5)

    @pytest.mark.parametrize("name", get_args(ScheduleName))
    @pytest.mark.parametrize("done", range(11))
    def test_resumed_schedule_goes_on_as_if_never_stopped(self, name: ScheduleName, done: int) -> None:
        optimizer, schedule = start(name)
        expected = run_epochs(optimizer, schedule, list(self.LOSSES))
        optimizer, schedule = start(name)
        run_epochs(optimizer, schedule, list(self.LOSSES[:done]))
        written: dict[str, Any] = json.loads(json.dumps(schedule.state_dict()))
        rate = read_rate(optimizer)
        resumed_optimizer, resumed = start(name)
        resumed.load_state_dict(written)
        resumed_optimizer.param_groups[0]["lr"] = rate
        rest = run_epochs(resumed_optimizer, resumed, list(self.LOSSES[done:]))
        assert rest == expected[done * STEPS_PER_EPOCH :]
        assert read_rate(resumed_optimizer) == read_rate_at_the_end(name, self.LOSSES)


def read_rate_at_the_end(name: ScheduleName, losses: tuple[float, ...]) -> float:
    optimizer, schedule = start(name)
    run_epochs(optimizer, schedule, list(losses))
    return read_rate(optimizer)
