"""Runs are queued in bundles of a size that suits the workers, and keep every promise made to one run."""

from typing import Any

import pytest

from lab.database.engine import Database
from lab.database.tables import Run, now
from lab.experiments.configs import RunConfig
from lab.queue.job_queue import JobQueue
from lab.queue.worker_slots import claim_slot
from lab.queue.workers import SILENT_SECONDS, WorkerRecord, Workforce
from lab.runs.attempts import begin_attempt
from lab.runs.bundles import choose_bundle_size, make_bundles
from lab.runs.control import cancel_experiment, pause_experiment, resume_experiment
from lab.runs.progress import list_pending_runs, record_epoch
from lab.runs.queueing import queue_apart, requeue_jobs
from lab.runs.records import ExperimentRecord
from tests.lab.runs.situations import Submit, beat, finish, make_report, read_again, read_job, take


def make_record(number: int, *, bundle_size: int, silent_seconds: float = 0.0) -> WorkerRecord:
    return WorkerRecord(
        id=f"worker-{number}",
        device="cpu",
        started_at=now(),
        silent_seconds=silent_seconds,
        idle_seconds=None,
        bundle_size=bundle_size,
    )


def make_workforce(*bundle_sizes: int, silent: tuple[int, ...] = (), past: tuple[int, ...] = ()) -> Workforce:
    living = [make_record(number, bundle_size=size) for number, size in enumerate(bundle_sizes)]
    quiet = [
        make_record(10 + number, bundle_size=size, silent_seconds=SILENT_SECONDS + 1)
        for number, size in enumerate(silent)
    ]
    gone = [make_record(20 + number, bundle_size=size) for number, size in enumerate(past)]
    return Workforce(workers={worker.id: worker for worker in (*living, *quiet)}, past_workers=gone)


class TestSize:
    @pytest.mark.parametrize(
        ("workforce", "num_runs", "expected"),
        [
            (make_workforce(), 24, 1),
            (make_workforce(2), 24, 2),
            (make_workforce(24), 24, 24),
            (make_workforce(24), 7, 7),
            # Two workers share; none is left with nothing to do.
            (make_workforce(24, 24), 24, 12),
            (make_workforce(24, 24), 7, 4),
            (make_workforce(2, 24), 24, 12),
            (make_workforce(24), 0, 1),
            # Whoever is silent does not count while another is alive.
            (make_workforce(2, silent=(24,)), 24, 2),
            # With nobody alive, those that were heard of last.
            (make_workforce(past=(24,)), 24, 24),
            (make_workforce(2, past=(24, 24)), 24, 2),
        ],
    )
    def test_suits_the_workers_and_leaves_none_idle(
        self, workforce: Workforce, num_runs: int, expected: int
    ) -> None:
        assert choose_bundle_size(workforce, num_runs=num_runs) == expected


def make_runs(*recipes: dict[str, Any]) -> list[Run]:
    configs = [RunConfig(dataset="digits", schedule="constant", **recipe) for recipe in recipes]
    return [Run(id=number, config=config.to_json()) for number, config in enumerate(configs, start=1)]


class TestBundles:
    @pytest.mark.parametrize(
        ("size", "expected"),
        [(1, [[1], [2], [3], [4], [5]]), (2, [[1, 2], [3, 4], [5]]), (8, [[1, 2, 3, 4, 5]])],
    )
    def test_hold_the_runs_in_order(self, size: int, expected: list[list[int]]) -> None:
        runs = make_runs(*({"seed": seed} for seed in range(5)))
        assert [[run.id for run in bundle] for bundle in make_bundles(runs, size=size)] == expected

    @pytest.mark.parametrize(
        "other",
        [{"epochs": 3}, {"batch_size": 32}, {"validation_size": 100}],
        ids=lambda other: next(iter(other)),
    )
    def test_hold_only_runs_that_take_the_same_steps(self, other: dict[str, Any]) -> None:
        runs = make_runs({}, other, {"seed": 1}, other, {"seed": 2})
        bundles = [[run.id for run in bundle] for bundle in make_bundles(runs, size=4)]
        assert bundles == [[1, 3, 5], [2, 4]]

    def test_mix_everything_else(self) -> None:
        runs = make_runs(
            {"normalization": "layer", "l1": 0.1, "seed": 4},
            {"learning_rate": 0.1, "momentum": 0.5, "dropout": 0.3},
            {"affine": False, "rotation_degrees": 0.0},
        )
        assert len(make_bundles(runs, size=4)) == 1


@pytest.fixture
def pair_worker(database: Database, worker: str) -> str:
    """A worker that is alive and trains two runs at once."""
    beat(database, worker, bundle_size=2)
    return worker


def read_jobs(database: Database, experiment: ExperimentRecord) -> list[str | None]:
    with database.transaction() as session:
        return [session.get_one(Run, run.id).job_id for run in experiment.runs]


def read_statuses(database: Database, experiment: ExperimentRecord) -> list[str]:
    return [read_again(database, run).status for run in experiment.runs]


def begin(database: Database, run_id: int) -> str:
    """Have the worker take the run's job and begin it; the job's id."""
    job_id = take(database, run_id)
    with database.transaction() as session:
        begin_attempt(session, job_id, device="cpu")
    return job_id


@pytest.mark.usefixtures("pair_worker")
class TestQueue:
    def test_has_jobs_of_two_for_a_worker_that_trains_two(self, database: Database, submit: Submit) -> None:
        first, second, third, fourth, last = read_jobs(database, submit(5))
        assert (first, third) == (second, fourth)
        assert len({first, third, last}) == 3

    def test_has_jobs_of_one_while_there_are_as_many_workers_as_runs(
        self, database: Database, submit: Submit
    ) -> None:
        with claim_slot(database) as second:
            beat(database, second, bundle_size=2)
            assert len(set(read_jobs(database, submit(2)))) == 2

    def test_tells_with_whom_each_run_is_trained(self, database: Database, submit: Submit) -> None:
        experiment = submit(3)
        first, second, third = (run.id for run in experiment.runs)
        begin(database, first)
        with database.transaction() as session:
            bundles = [session.get_one(Run, run_id).bundle for run_id in (first, second, third)]
        assert bundles == [[first, second], [first, second], None]
        assert read_statuses(database, experiment) == ["running", "running", "queued"]

    def test_a_later_attempt_tells_with_whom_it_was(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        first, second = (run.id for run in submit(2).runs)
        job_id = begin(database, first)
        finish(database, first)
        with database.transaction() as session:
            requeue_jobs(session, queue, [job_id])
        begin(database, second)
        with database.transaction() as session:
            bundles = [session.get_one(Run, run_id).bundle for run_id in (first, second)]
        assert bundles == [[first, second], [second]]

    def test_engine_is_told_with_the_first_state(self, database: Database, submit: Submit) -> None:
        first, second = submit(2).runs
        job_id = begin(database, first.id)
        with database.transaction() as session:
            record_epoch(session, first.id, job_id=job_id, report=make_report(1), is_last=False)
        with database.transaction() as session:
            variants = [session.get_one(Run, run.id).variant for run in (first, second)]
        assert variants == ["stacked", None]

    @pytest.mark.parametrize("is_begun", [True, False])
    def test_cancelled_runs_leave_their_jobs_and_what_was_finished_stays(
        self, database: Database, submit: Submit, queue: JobQueue, is_begun: bool
    ) -> None:
        experiment = submit(4)
        finished = experiment.runs[0]
        job_id = begin(database, finished.id) if is_begun else ""
        finish(database, finished.id)
        with database.transaction() as session:
            lost = cancel_experiment(session, experiment.id)
        queue.withdraw(lost)
        assert read_statuses(database, experiment) == ["completed", *["cancelled"] * 3]
        with database.transaction() as session:
            assert list_pending_runs(session, job_id) == []
            # What its worker still has in hand is not written.
            record_epoch(session, experiment.runs[1].id, job_id=job_id, report=make_report(1), is_last=True)
        assert read_statuses(database, experiment) == ["completed", *["cancelled"] * 3]

    def test_paused_runs_are_resumed_in_bundles_those_begun_together(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        experiment = submit(5)
        before = set(read_jobs(database, experiment))
        begin(database, experiment.runs[0].id)
        with database.transaction() as session:
            lost = pause_experiment(session, experiment.id)
        queue.withdraw(lost)
        assert read_statuses(database, experiment) == ["paused"] * 5
        with database.transaction() as session:
            resume_experiment(session, queue, experiment.id)
        first, second, third, fourth, last = read_jobs(database, experiment)
        assert (first, third) == (second, fourth)
        assert len({first, third, last, *before}) == 6
        assert read_statuses(database, experiment) == ["queued"] * 5

    def test_apart_each_run_that_is_left_has_a_job_of_its_own(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        experiment = submit(2)
        job_id = begin(database, experiment.runs[0].id)
        with database.transaction() as session:
            queue_apart(session, queue, job_id)
        assert len({job_id, *read_jobs(database, experiment)}) == 3

    def test_a_job_whose_worker_died_twice_over_it_is_taken_apart(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        """One of its runs may be the death of all."""
        experiment = submit(2)
        for num_jobs in (1, 2):
            job_id = begin(database, experiment.runs[0].id)
            with database.transaction() as session:
                requeue_jobs(session, queue, [job_id])
            assert len(set(read_jobs(database, experiment))) == num_jobs

    def test_apart_what_is_finished_is_left_alone(
        self, database: Database, submit: Submit, queue: JobQueue
    ) -> None:
        experiment = submit(2)
        job_id = begin(database, experiment.runs[0].id)
        finish(database, experiment.runs[0].id)
        with database.transaction() as session:
            queue_apart(session, queue, job_id)
            assert read_job(session, experiment.runs[0].id) == job_id
        assert read_statuses(database, experiment)[0] == "completed"
