"""A run resumed from the state of any epoch goes on bit for bit as if it had never stopped."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from lab.database.safetensors import decode_tensors, decode_values, encode_tensors
from lab.datasets.load import Dataset
from lab.experiments.configs import RunConfig
from lab.runs.epochs import EpochReport, TrainingState
from tests.worker.bench import make_backend
from tests.worker.flat import train
from tests.worker.reports import assert_identical
from worker.training import evaluation, run_array
from worker.training.callbacks import TrainingStoppedError

pytestmark = pytest.mark.slow

EPOCHS = 4


def make_config(schedule: str, **values: Any) -> RunConfig:
    defaults = {
        "dataset": "digits",
        "epochs": EPOCHS,
        "batch_size": 40,
        "dropout": 0.1,
        "l1": 1e-4,
        "l2": 1e-3,
        "schedule": schedule,
        "schedule_metric": "test",
    }
    return RunConfig(**{**defaults, **values})


def write_and_read(state: TrainingState) -> TrainingState:
    """The state as it comes back from the database."""
    names = ("variant", "epoch", "step", "seconds", "learning_rate", "epoch_learning_rate", "schedule")
    written = encode_tensors(state.momentum, values={name: getattr(state, name) for name in names})
    return TrainingState(
        weights=decode_tensors(encode_tensors(state.weights)),
        momentum=decode_tensors(written),
        **decode_values(written),
    )


@pytest.mark.parametrize(
    "config",
    [
        # A rate so high that the loss jumps and the plateau schedule has something to do.
        make_config("plateau", learning_rate=0.8),
        make_config("onecycle"),
        make_config("constant"),
        make_config("constant", momentum=0.0, normalization="none"),
        make_config("constant", normalization="layer", validation_size=20),
        make_config("constant", normalization="instance", affine=False),
    ],
    ids=["plateau", "onecycle", "constant", "no momentum", "layer norm", "instance norm"],
)
def test_resumed_at_any_epoch(config: RunConfig, tiny: Dataset) -> None:
    uninterrupted = list(train([config], tiny))
    for done in range(1, EPOCHS + 1):
        state = write_and_read(uninterrupted[done - 1].state)
        assert_identical(list(train([config], tiny, states=[state])), uninterrupted[done:])


@pytest.mark.parametrize("schedule", ["plateau", "onecycle", "constant"])
def test_resumed_at_any_step(schedule: str, tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_array, "CHECKPOINT_SECONDS", -1.0)
    config = make_config(schedule, epochs=2)
    states: list[TrainingState] = []

    uninterrupted = list(train([config], tiny, on_checkpoint=lambda taken: states.extend(taken.values())))

    positions = [(state.epoch, state.step) for state in states]
    assert positions == sorted(positions)
    # The last of an epoch's are handed over while the three steps' network is measured.
    assert set(positions) == {(epoch, step) for epoch in range(2) for step in range(4)}
    for state in states:
        resumed = list(train([config], tiny, states=[write_and_read(state)]))
        assert_identical(resumed, uninterrupted[state.epoch :])


def stop_after(config: RunConfig, data: Dataset, *, allowed: int) -> tuple[list[EpochReport], TrainingState]:
    """Stop when asked once more than ``allowed``; what was reported, and the one state handed over."""
    answers = iter([False] * allowed + [True])
    reports: list[EpochReport] = []
    states: list[TrainingState] = []
    training_to_stop = train(
        [config],
        data,
        should_stop=lambda: next(answers),
        on_checkpoint=lambda taken: states.extend(taken.values()),
    )
    with pytest.raises(TrainingStoppedError):
        reports.extend(training_to_stop)
    (state,) = states
    return reports, state


def test_a_stop_hands_over_the_step_it_came_to(tiny: Dataset) -> None:
    config = make_config("onecycle", epochs=2)
    uninterrupted = list(train([config], tiny))

    _, state = stop_after(config, tiny, allowed=2)

    assert (state.epoch, state.step) == (0, 2)
    assert_identical(list(train([config], tiny, states=[state])), uninterrupted)


# Two steps, then five batches of the 76 training images, two of the 20 held out, three of the 40 to test.
@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize(
    "allowed", [2, 4, 7, 8, 9, 11], ids=["train", "train+", "validation", "validation+", "test", "test+"]
)
def test_a_stop_while_the_network_is_measured_costs_not_one_bit(
    tiny: Dataset, allowed: int, epoch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(evaluation.EVALUATION_BATCH_SIZE, "cpu", 16)
    config = make_config(
        "plateau", epochs=3, learning_rate=0.8, validation_size=20, schedule_metric="validation"
    )
    uninterrupted = list(train([config], tiny))

    reports, state = stop_after(config, tiny, allowed=12 * epoch + allowed)

    assert (state.epoch, state.step) == (epoch, 2)
    assert_identical(reports, uninterrupted[:epoch])
    for handed_over in (state, write_and_read(state)):
        assert_identical(list(train([config], tiny, states=[handed_over])), uninterrupted[epoch:])


def test_plateau_of_these_tests_has_something_to_do(tiny: Dataset) -> None:
    reports = list(train([make_config("plateau", learning_rate=0.8)], tiny))
    assert len({report.state.learning_rate for report in reports}) > 1


def test_runs_resumed_at_different_epochs_train_together(tiny: Dataset) -> None:
    configs = [
        make_config("onecycle"),
        make_config("constant", normalization="group"),
        make_config("plateau"),
    ]
    alone = [list(train([config], tiny)) for config in configs]
    states = [alone[0][2].state, None, alone[2][0].state]
    together = list(train(configs, tiny, states=states))
    for index, done in enumerate((3, 0, 1)):
        resumed = [replace(report, run_index=0) for report in together if report.run_index == index]
        assert_identical(resumed, alone[index][done:])


def test_a_run_goes_on_with_the_engine_it_began_with(tiny: Dataset) -> None:
    config = make_config("onecycle", epochs=2)
    stacked = list(train([config], tiny, backend=make_backend(variant="stacked")))
    usual = list(train([config], tiny))
    assert {report.state.variant for report in stacked} == {"stacked"}
    assert usual[0].state.variant == make_backend().variant != "stacked"
    # Rounding tells them apart: the other engine would not have gone on with these bits.
    weights = [reports[0].state.weights["conv1.weight"] for reports in (usual, stacked)]
    assert not torch.equal(*weights)

    resumed = list(train([config], tiny, states=[write_and_read(stacked[0].state)]))

    assert_identical(resumed, stacked[1:])


def test_state_given_is_left_as_it_is(tiny: Dataset) -> None:
    config = make_config("constant")
    state = next(train([config], tiny)).state
    copies = {name: tensor.clone() for name, tensor in (state.weights | state.momentum).items()}
    list(train([config], tiny, states=[state]))
    for name, tensor in copies.items():
        assert torch.equal((state.weights | state.momentum)[name], tensor)
