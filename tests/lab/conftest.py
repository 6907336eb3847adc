"""What the tests of the lab share: a queue, experiments in it, and a worker that is alive."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab.database.engine import Database
from lab.experiments.configs import RunConfig
from lab.experiments.planning import ExperimentSpec
from lab.queue.job_queue import JobQueue
from lab.queue.worker_slots import claim_slot
from lab.runs.control import submit_experiment
from lab.runs.records import ExperimentRecord, read_experiment
from tests.lab.runs.situations import Submit, beat


@pytest.fixture
def queue(database: Database) -> Iterator[JobQueue]:
    """The service's side of the queue in the test's database."""
    queue = JobQueue(database)
    yield queue
    queue.close()


@pytest.fixture
def worker(database: Database) -> Iterator[str]:
    """Id of a worker that is alive: it holds its slot and was heard of just now."""
    with claim_slot(database) as worker_id:
        beat(database, worker_id)
        yield worker_id


@pytest.fixture
def submit(database: Database, queue: JobQueue) -> Submit:
    """Submit an experiment of ``num_runs`` runs that differ in their seed."""

    def submit_runs(
        num_runs: int = 1, *, dataset: str = "digits", priority: int = 0, **values: Any
    ) -> ExperimentRecord:
        runs = tuple(
            RunConfig(**{"dataset": dataset, "schedule": "constant", "epochs": 3, "seed": seed, **values})
            for seed in range(num_runs)
        )
        spec = ExperimentSpec(
            name="an experiment", dataset=dataset, preset=None, runs=runs, priority=priority
        )
        with database.transaction() as session:
            experiment_id = submit_experiment(session, queue, spec=spec, request={"seeds": num_runs})
        with database.transaction() as session:
            return read_experiment(session, experiment_id)

    return submit_runs
