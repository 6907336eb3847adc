"""A run's life as a state machine: users, workers and deaths in any order, on a real database.

Only the queue library's dequeue is played, by the update it makes to its table; the rest is the real thing.
The real worker under random kills is in ``tests/chaos``.
"""

import shutil
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import sqlalchemy as sa
import torch

from lab.database.engine import Database
from lab.database.tables import Worker
from lab.experiments.configs import RunConfig
from lab.experiments.planning import ExperimentSpec
from lab.queue import worker_slots
from lab.queue.job_queue import JobQueue, list_held_jobs, upgrade_queue
from lab.queue.worker_slots import claim_slot
from lab.queue.workers import record_heartbeat
from lab.runs.attempts import begin_attempt, take_back_attempt
from lab.runs.control import submit_experiment
from lab.runs.epochs import EpochReport, TrainingState
from lab.runs.progress import list_pending_runs, record_checkpoint, record_epoch
from lab.runs.queueing import find_abandoned_jobs, requeue_jobs
from tests.lab.runs.situations import make_signs

NUM_EPOCHS = 3
SILENCE_SECONDS = 1_000.0


@dataclass
class PlayedWorker:
    """A worker process: its slot, and the job and the run of it that it believes it has."""

    slot: AbstractContextManager[str]
    id: str
    job_id: str | None = None
    run_id: int | None = None
    is_frozen: bool = False


class PlayedLab:
    """A database, its queue, and workers that do what they are told."""

    def __init__(self, template: Path) -> None:
        self._folder = Path(tempfile.mkdtemp())
        shutil.copy(template, self._folder / "lab.db")
        self.database = Database(f"sqlite:///{self._folder}/lab.db")
        # Nothing here loses its power, and a life is some hundred transactions.
        sa.event.listen(
            self.database.engine,
            "connect",
            lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"),
        )
        self.queue = JobQueue(self.database)
        self.workers: dict[str, PlayedWorker] = {}

    def submit(self, *, num_runs: int, priority: int) -> list[int]:
        """Queue an experiment; the ids of its runs."""
        recipe: dict[str, Any] = {"dataset": "digits", "schedule": "constant", "epochs": NUM_EPOCHS}
        runs = tuple(RunConfig(**recipe, seed=seed) for seed in range(num_runs))
        spec = ExperimentSpec(name="x", dataset="digits", preset=None, runs=runs, priority=priority)
        with self.database.transaction() as session:
            experiment_id = submit_experiment(session, self.queue, spec=spec, request={})
            query = sa.text("SELECT id FROM runs WHERE experiment_id = :id ORDER BY id")
            return list(session.scalars(query, {"id": experiment_id}))

    def start_worker(self) -> PlayedWorker:
        """A process that takes the lowest free slot, and over what its predecessor held."""
        slot = claim_slot(self.database)
        # Nobody else looks at the slots here, so a held one need not be waited for.
        with mock.patch.object(worker_slots, "CLAIM_TIMEOUT_SECONDS", 0.0):
            worker = PlayedWorker(slot=slot, id=slot.__enter__())
        self.workers[worker.id] = worker
        with self.database.transaction() as session:
            held = [job for job, holder in list_held_jobs(session).items() if holder == worker.id]
        self._requeue(held)
        self._beat(worker)
        return worker

    def kill(self, worker: PlayedWorker) -> None:
        """The process is gone; the operating system lets go of its slot, and nothing else happens."""
        del self.workers[worker.id]
        worker.slot.__exit__(None, None, None)

    def freeze(self, worker: PlayedWorker) -> None:
        """The process is stopped, and has been for long."""
        worker.is_frozen = True
        with self.database.transaction() as session:
            silent = sa.update(Worker).where(Worker.id == worker.id)
            session.execute(silent.values(heard_at_seconds=Worker.heard_at_seconds - SILENCE_SECONDS))

    def thaw(self, worker: PlayedWorker) -> None:
        """The process goes on: it writes what it had in hand, then is heard of."""
        worker.is_frozen = False
        if worker.run_id is not None:
            self._record(worker, to_epoch_end=True)
        self._beat(worker)

    def beat(self) -> None:
        """Every two seconds all that are not stopped are heard of, however slow the machine."""
        for worker in self.workers.values():
            if not worker.is_frozen:
                self._beat(worker)

    def take_care(self, worker: PlayedWorker) -> None:
        """What the heartbeat does every two seconds."""
        self._beat(worker)
        with self.database.transaction() as session:
            abandoned = find_abandoned_jobs(session)
        self._requeue(abandoned)

    def take_job(self, worker: PlayedWorker) -> str | None:
        """Give the worker the next job, as the library's dequeue does, and begin it."""
        next_job = sa.text(
            "UPDATE workflow_status SET status = 'PENDING', executor_id = :worker WHERE workflow_uuid = ("
            "SELECT workflow_uuid FROM workflow_status WHERE status = 'ENQUEUED' AND queue_name = 'training' "
            "ORDER BY priority, created_at, rowid LIMIT 1) RETURNING workflow_uuid"
        )
        with self.database.transaction() as session:
            worker.job_id = session.scalar(next_job, {"worker": worker.id})
        if worker.job_id is not None:
            with self.database.transaction() as session:
                begin_attempt(session, worker.job_id, device="cpu")
                worker.run_id = next(
                    (run_id for run_id, _ in list_pending_runs(session, worker.job_id)), None
                )
        return worker.job_id

    def train(self, worker: PlayedWorker, *, to_epoch_end: bool) -> None:
        """Record what the worker has in hand, and only then look whether its job still has a run."""
        if worker.run_id is not None:
            self._record(worker, to_epoch_end=to_epoch_end)
        with self.database.transaction() as session:
            open_runs = list_pending_runs(session, str(worker.job_id))
        worker.run_id = open_runs[0][0] if open_runs else None
        if worker.run_id is None:
            self.finish_job(worker)

    def finish_job(self, worker: PlayedWorker) -> None:
        """The job returns; the library writes its outcome if the row is still there and the worker's."""
        done = sa.text(
            "UPDATE workflow_status SET status = 'SUCCESS' "
            "WHERE workflow_uuid = :job AND executor_id = :worker"
        )
        with self.database.transaction() as session:
            session.execute(done, {"job": worker.job_id, "worker": worker.id})
        worker.job_id = worker.run_id = None

    def stop(self, worker: PlayedWorker) -> None:
        """SIGTERM: lay the job down, queue it again for whoever is there, leave."""
        if worker.job_id is not None:
            with self.database.transaction() as session:
                take_back_attempt(session, worker.job_id)
            with self.database.transaction() as session:
                held = [job for job, holder in list_held_jobs(session).items() if holder == worker.id]
            self._requeue(held)
        self.kill(worker)

    def close(self) -> None:
        """Let go of everything."""
        for worker in list(self.workers.values()):
            self.kill(worker)
        self.queue.close()
        self.database.close()
        shutil.rmtree(self._folder)

    def _beat(self, worker: PlayedWorker) -> None:
        with self.database.transaction() as session:
            record_heartbeat(session, worker.id, signs=make_signs(bundle_size=2))

    def _requeue(self, job_ids: list[str]) -> None:
        with self.database.transaction() as session:
            requeue_jobs(session, self.queue, job_ids)
        self.queue.withdraw(job_ids)

    def _record(self, worker: PlayedWorker, *, to_epoch_end: bool) -> None:
        run_id, job_id = int(worker.run_id or 0), str(worker.job_id)
        position = sa.text("SELECT epoch, step FROM checkpoints WHERE run_id = :id")
        with self.database.transaction() as session:
            epoch, step = session.execute(position, {"id": run_id}).one_or_none() or (0, 0)
            if to_epoch_end:
                report = make_report(epoch + 1)
                record_epoch(session, run_id, job_id=job_id, report=report, is_last=epoch + 1 == NUM_EPOCHS)
            else:
                record_checkpoint(session, run_id, job_id=job_id, state=make_state(epoch, step + 1))


def make_template(folder: Path) -> Path:
    """An empty, migrated database file to copy: migrating takes longer than a whole life."""
    database = Database(f"sqlite:///{folder}/template.db")
    database.upgrade()
    upgrade_queue(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return folder / "template.db"


def make_state(epoch: int, step: int) -> TrainingState:
    """A state at that position; what is in it does not matter here."""
    return TrainingState(
        variant="stacked",
        epoch=epoch,
        step=step,
        seconds=0.0,
        epoch_learning_rate=0.1,
        weights={"w": torch.zeros(1)},
        momentum={},
        learning_rate=0.1,
        schedule={},
    )


def make_report(epoch: int) -> EpochReport:
    """What an epoch might have given."""
    figures = dict.fromkeys(("train_loss", "train_accuracy", "test_loss", "test_accuracy"), 0.5)
    return EpochReport(
        run_index=0,
        epoch=epoch,
        learning_rate=0.1,
        seconds=1.0,
        validation_loss=None,
        validation_accuracy=None,
        test_log_probabilities=torch.zeros(2, 10),
        state=make_state(epoch, 0),
        **figures,
    )
