"""Runs trained side by side on a CPU are each bit for bit what they would be alone, whatever befalls one."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lab.database.tables import Run
from lab.datasets.load import Dataset
from lab.experiments.configs import NORMALIZATIONS, RunConfig
from lab.queue.job_queue import StopWork
from lab.runs.epochs import EpochReport, TrainingState
from tests.worker.bench import ASKED_PER_EPOCH, Bench, CalledOff, make_backend, make_fusing_backend
from tests.worker.flat import train
from tests.worker.reports import assert_identical
from worker.engines.interface import Batch
from worker.engines.variants import STACKED
from worker.training import run_array
from worker.training.callbacks import DivergedError, TrainingStoppedError
from worker.training.run_array import RunArray
from worker.training.train import RunsFailedError

pytestmark = pytest.mark.slow

DIVERGING: dict[str, Any] = {
    "normalization": "none",
    "learning_rate": 10.0,
    "l2": 1.0,
    "schedule": "constant",
}
# The runs that break steps of theirs are told by it.
BROKEN_SEED = 13


def make_config(**values: Any) -> RunConfig:
    defaults = {"dataset": "digits", "epochs": 2, "batch_size": 40, "dropout": 0.1, "schedule": "onecycle"}
    return RunConfig(**{**defaults, **values})


def pick(reports: list[EpochReport], index: int) -> list[EpochReport]:
    """The reports of one run, as if it had been the only one."""
    return [replace(report, run_index=0) for report in reports if report.run_index == index]


def break_run(monkeypatch: pytest.MonkeyPatch, *, error: Exception) -> None:
    """Have every step raise of an array that the run of ``BROKEN_SEED`` is in."""
    take_step = RunArray.step

    def step(array: RunArray, batch: Batch) -> None:
        if any(member.config.seed == BROKEN_SEED for member in array._members):
            raise error
        take_step(array, batch)

    monkeypatch.setattr(RunArray, "step", step)


class TestTogether:
    @pytest.mark.parametrize("num_runs", [2, 5])
    def test_each_is_as_if_alone(self, tiny: Dataset, num_runs: int) -> None:
        configs = [
            make_config(normalization=normalization, seed=seed, epochs=1 + seed % 2)
            for seed, normalization in enumerate(NORMALIZATIONS[:num_runs])
        ]
        together = list(train(configs, tiny, backend=make_backend(num_threads=2)))
        for index, config in enumerate(configs):
            # One run has both threads, or there is but one.
            alone = list(train([config], tiny, backend=make_backend(num_threads=1 + index % 2)))
            assert_identical(pick(together, index), alone)

    def test_resumed_at_any_step_none_has_changed_by_one_bit(
        self, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configs = [make_config(), make_config(normalization="group", l1=1e-4)]
        backend = make_backend(num_threads=2)
        uninterrupted = list(train(configs, tiny, backend=backend))
        monkeypatch.setattr(run_array, "CHECKPOINT_SECONDS", -1.0)
        states: dict[int, dict[tuple[int, int], TrainingState]] = {0: {}, 1: {}}

        def keep(taken: Mapping[int, TrainingState]) -> None:
            for index, state in taken.items():
                states[index][state.epoch, state.step] = state

        list(train(configs, tiny, backend=backend, on_checkpoint=keep))
        positions = sorted(states[0])
        assert positions == sorted(states[1])
        assert positions[:2] == [(0, 0), (0, 1)]
        # Lanes are never at one place, so neither are the states they leave.
        for ours, theirs in zip(positions, reversed(positions), strict=True):
            pair = [states[0][ours], states[1][theirs]]
            resumed = list(train(configs, tiny, states=pair, backend=backend))
            for index, (epoch, _) in enumerate((ours, theirs)):
                assert_identical(pick(resumed, index), pick(uninterrupted, index)[epoch:])

    @pytest.mark.parametrize("allowed", [0, 3, 8])
    def test_a_stop_hands_over_every_state_and_all_go_on(self, tiny: Dataset, allowed: int) -> None:
        configs = [make_config(seed=seed) for seed in range(2)]
        backend = make_backend(num_threads=2)
        uninterrupted = list(train(configs, tiny, backend=backend))
        num_asked = 0
        states: list[TrainingState | None] = [None, None]

        def should_stop() -> bool:
            nonlocal num_asked
            num_asked += 1
            return num_asked > allowed

        def keep(taken: Mapping[int, TrainingState]) -> None:
            for index, state in taken.items():
                states[index] = state

        reports: list[EpochReport] = []
        stopped = train(configs, tiny, backend=backend, should_stop=should_stop, on_checkpoint=keep)
        with pytest.raises(TrainingStoppedError):
            reports.extend(stopped)
        for report in reports:
            # A run that came to its end has no state but its last report's.
            if report.epoch == 2:
                keep({report.run_index: report.state})
        resumed = list(train(configs, tiny, states=states, backend=backend))
        for index, state in enumerate(states):
            done = state.epoch if state else 0
            assert_identical(pick(resumed, index), pick(uninterrupted, index)[done:])


class TestErrors:
    def test_name_the_run_they_are_of(self, tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
        backend = make_backend(num_threads=2)
        with pytest.raises(DivergedError) as diverged:
            list(train([make_config(), make_config(**DIVERGING)], tiny, backend=backend))
        assert diverged.value.run_index == 1
        break_run(monkeypatch, error=ZeroDivisionError("for once"))
        with pytest.raises(RunsFailedError, match="for once") as broken:
            list(train([make_config(), make_config(seed=BROKEN_SEED)], tiny, backend=backend))
        assert broken.value.run_indices == [1]
        assert isinstance(broken.value.reason, ZeroDivisionError)

    def test_of_a_network_in_one_array_name_all_that_are_in_it(
        self, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        break_run(monkeypatch, error=ZeroDivisionError())
        configs = [make_config(), make_config(seed=BROKEN_SEED), make_config(normalization="none")]
        with pytest.raises(RunsFailedError) as broken:
            list(train(configs, tiny, backend=make_fusing_backend()))
        assert broken.value.run_indices == [0, 1]

    def test_of_a_run_in_an_array_cost_the_others_no_step(self, tiny: Dataset) -> None:
        configs = [make_config(schedule="constant"), make_config(**DIVERGING)]
        configs = [replace(config, normalization="none", dropout=0.0) for config in configs]
        states: list[TrainingState] = []
        with pytest.raises(DivergedError) as diverged:
            list(
                train(
                    configs,
                    tiny,
                    backend=make_fusing_backend(),
                    on_checkpoint=lambda taken: states.extend(taken[index] for index in sorted(taken)),
                )
            )
        (kept,) = states
        num_steps = math.ceil(len(tiny.train) / configs[0].batch_size)
        assert (diverged.value.run_index, kept.epoch, kept.step) == (1, 0, num_steps)
        assert all(bool(tensor.isfinite().all()) for tensor in kept.weights.values())
        first = next(train(configs[:1], tiny, states=[kept], backend=make_fusing_backend()))
        assert first.epoch == 1


class TestJobs:
    """Bundles in the queue's hands: what a job records of each of its runs."""

    @pytest.mark.parametrize("fault", ["diverging", "broken"])
    def test_a_fault_of_one_run_fails_it_alone_and_costs_the_others_no_bit(
        self, bench: Bench, fault: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alone = bench.submit({"seed": 1}, {"seed": 2})
        for run in alone.runs:
            bench.perform([run])
        break_run(monkeypatch, error=ZeroDivisionError("for once"))
        faulty = DIVERGING if fault == "diverging" else {"seed": BROKEN_SEED}
        first, failed, third = bench.submit({"seed": 1}, faulty, {"seed": 2}).runs

        bench.perform([first, failed, third], backend=make_backend(num_threads=2))

        assert bench.read_result(first) == bench.read_result(alone.runs[0])
        assert bench.read_result(third) == bench.read_result(alone.runs[1])
        (now,) = (run for run in bench.read(failed.experiment_id).runs if run.id == failed.id)
        words = {"diverging": "The loss was no longer finite", "broken": "ZeroDivisionError: for once"}
        assert now.status == "failed"
        assert str(now.error).startswith(words[fault])

    def test_a_fault_in_one_array_is_told_by_training_each_by_itself(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        break_run(monkeypatch, error=ZeroDivisionError("for once"))
        whole, broken = bench.submit({"seed": 1}, {"seed": BROKEN_SEED}).runs
        bench.perform([whole, broken], backend=make_fusing_backend())
        jobs = {bench.read_row(run).job_id for run in (whole, broken)}
        assert len(jobs) == 2
        assert [run.status for run in bench.read(whole.experiment_id).runs] == ["queued", "queued"]
        for run in (whole, broken):
            bench.perform([run], backend=make_fusing_backend())
        assert [run.status for run in bench.read(whole.experiment_id).runs] == ["completed", "failed"]

    def test_engine_and_bundle_are_recorded_with_each_run(self, bench: Bench) -> None:
        first, second, alone = bench.submit({"seed": 1}, {"seed": 2}, {}).runs
        backend = make_backend(num_threads=2)
        bench.perform([first, second], backend=backend)
        bench.perform([alone], backend=make_backend(variant=STACKED))
        rows: list[Run] = [bench.read_row(run) for run in (first, second, alone)]
        assert [row.bundle for row in rows] == [[first.id, second.id]] * 2 + [[alone.id]]
        assert [row.variant for row in rows] == [backend.variant] * 2 + [STACKED]

    @pytest.mark.parametrize("asked", [0, 3, 2 * ASKED_PER_EPOCH + 1])
    def test_a_worker_that_stops_lays_all_down_and_another_finishes_them_bit_for_bit(
        self, bench: Bench, asked: int
    ) -> None:
        recipe: dict[str, Any] = {"dropout": 0.1, "schedule": "onecycle"}
        whole = bench.submit(recipe, {**recipe, "seed": 1}).runs
        interrupted = bench.submit(recipe, {**recipe, "seed": 1}).runs
        for run in whole:
            bench.perform([run])
        backend = make_backend(num_threads=2)
        with pytest.raises(StopWork):
            bench.perform(interrupted, stop=CalledOff(asked), backend=backend)
        assert bench.read(interrupted[0].experiment_id).status in ("queued", "running")
        bench.perform(interrupted, backend=backend)
        for ours, theirs in zip(interrupted, whole, strict=True):
            assert bench.read_result(ours) == bench.read_result(theirs)

    def test_a_run_that_is_done_does_not_keep_the_others_from_going_on(self, bench: Bench) -> None:
        short, long = bench.submit({"epochs": 1}, {"epochs": 4}).runs
        bench.perform([short, long], backend=make_backend(num_threads=2))
        assert [run.epoch for run in bench.read(short.experiment_id).runs] == [1, 4]
        # Trained in one go: a second attempt would have found its bundle smaller.
        assert bench.read_row(long).bundle == [short.id, long.id]
