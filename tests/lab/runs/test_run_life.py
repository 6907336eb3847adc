"""Whatever users do and whatever dies, in any order: no run is lost, trained by two, or misreported."""

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lab.database.tables import Experiment, Run
from lab.queue.job_queue import JOBS
from lab.runs.attempts import MAX_ATTEMPTS
from lab.runs.control import cancel_experiment, delete_experiment, pause_experiment, resume_experiment
from lab.runs.progress import list_pending_runs
from lab.runs.records import read_metrics, read_run
from tests.lab.runs.run_life import NUM_EPOCHS, PlayedLab, PlayedWorker, make_template

pytestmark = pytest.mark.slow

TEMPLATE = make_template(Path(tempfile.mkdtemp()))
MAX_WORKERS = 3
ACTS = ["submit", "cancel", "pause", "resume", "delete", "kill", "stop", "freeze", "care"]
# Most of a life is work.
ACTS += ["start"] * 3 + ["step"] * 4 + ["epoch"] * 4
TAKE_OFF = {"cancel": cancel_experiment, "pause": pause_experiment, "delete": delete_experiment}


class RunLife(RuleBasedStateMachine):
    """What users and fate do; ``wish`` is what was last asked of each run that is not deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = PlayedLab(TEMPLATE)
        self.experiments: dict[int, list[int]] = {}
        self.wishes: dict[int, str] = {}
        self.epochs: dict[int, int] = {}

    @initialize(num_workers=st.integers(1, 3))
    def begin(self, num_workers: int) -> None:
        """Most lives begin with something to do, and somebody to do it."""
        self._submit(num_runs=2, priority=0)
        for _ in range(num_workers):
            self.lab.take_job(self.lab.start_worker())

    @rule(act=st.sampled_from(ACTS), which=st.integers(0, 11))
    def live(self, act: str, which: int) -> None:
        """One rule for every act: drawn as rules of their own, most lives would lack most of them."""
        if act in ("cancel", "pause", "resume", "delete"):
            if self.experiments:
                self._control(list(self.experiments)[which % len(self.experiments)], act)
        elif act == "submit":
            self._submit(num_runs=1 + which % 3, priority=which % 3 - 1)
        elif act == "start":
            if len(self.lab.workers) < MAX_WORKERS:
                self.lab.start_worker()
        elif self.lab.workers:
            workers = list(self.lab.workers.values())
            self._work(workers[which % len(workers)], act)

    def _submit(self, *, num_runs: int, priority: int) -> None:
        run_ids = self.lab.submit(num_runs=num_runs, priority=priority)
        with self.lab.database.transaction() as session:
            experiment_id = session.get_one(Run, run_ids[0]).experiment_id
        self.experiments[experiment_id] = run_ids
        self.wishes |= dict.fromkeys(run_ids, "train")

    def _control(self, experiment_id: int, act: str) -> None:
        withdrawn: list[str] = []
        with self.lab.database.transaction() as session:
            if act == "resume":
                resume_experiment(session, self.lab.queue, experiment_id)
            else:
                withdrawn = TAKE_OFF[act](session, experiment_id)
        self.lab.queue.withdraw(withdrawn)
        for run_id in self.experiments[experiment_id]:
            # What is cancelled stays so, whatever is asked later.
            if self.wishes[run_id] != "cancel":
                self.wishes[run_id] = "train" if act == "resume" else act
        if act == "delete":
            for run_id in self.experiments.pop(experiment_id):
                del self.wishes[run_id]
                self.epochs.pop(run_id, None)

    def _work(self, worker: PlayedWorker, act: str) -> None:
        if act == "kill":
            self.lab.kill(worker)
            return
        if act == "freeze":
            self.lab.freeze(worker)
            return
        if worker.is_frozen:
            self.lab.thaw(worker)
        if act == "stop":
            self.lab.stop(worker)
        elif act == "care":
            self.lab.take_care(worker)
        elif worker.job_id is not None or self.lab.take_job(worker) is not None:
            self.lab.train(worker, to_epoch_end=act == "epoch")

    @invariant()
    def every_status_is_true(self) -> None:
        seen = {worker.job_id for worker in self.lab.workers.values() if not worker.is_frozen}
        self.lab.beat()
        with self.lab.database.transaction() as session:
            for run_id, wish in self.wishes.items():
                run, job_id = read_run(session, run_id), session.get_one(Run, run_id).job_id
                if run.status == "failed":
                    assert str(MAX_ATTEMPTS) in str(run.error)
                elif run.epoch == NUM_EPOCHS:
                    assert run.status == "completed"
                elif wish == "train":
                    assert run.status == ("running" if job_id in seen else "queued")
                else:
                    assert run.status == {"cancel": "cancelled", "pause": "paused"}[wish]

    @invariant()
    def no_run_is_lost(self) -> None:
        with self.lab.database.transaction() as session:
            held = dict(session.execute(sa.select(JOBS.c.workflow_uuid, JOBS.c.status)).tuples().all())
            for run in session.scalars(sa.select(Run).where(Run.finished_at.is_(None))):
                if run.job_id is not None:
                    assert held[run.job_id] in ("ENQUEUED", "PENDING")
            assert set(session.scalars(sa.select(Experiment.id))) == set(self.experiments)

    @invariant()
    def no_run_is_trained_by_two(self) -> None:
        with self.lab.database.transaction() as session:
            jobs = [worker.job_id for worker in self.lab.workers.values() if worker.job_id]
            trained = [run_id for job_id in jobs for run_id, _ in list_pending_runs(session, job_id)]
        assert len(trained) == len(set(trained))

    @invariant()
    def every_epoch_is_recorded_once_and_stays(self) -> None:
        with self.lab.database.transaction() as session:
            metrics = read_metrics(session, list(self.wishes))
        for run_id, rows in metrics.items():
            assert [row.epoch for row in rows] == list(range(1, len(rows) + 1))
            known = self.epochs.get(run_id, 0)
            assert len(rows) == known if self.wishes[run_id] == "cancel" else len(rows) >= known
            self.epochs[run_id] = len(rows)

    def teardown(self) -> None:
        """In the end one good worker does all that is left."""
        try:
            for experiment_id in self.experiments:
                self._control(experiment_id, "resume")
            for worker in list(self.lab.workers.values()):
                self.lab.kill(worker)
            worker = self.lab.start_worker()
            self.lab.take_care(worker)
            while self.lab.take_job(worker) is not None:
                while worker.job_id is not None:
                    self.lab.train(worker, to_epoch_end=True)
            self.every_status_is_true()
            with self.lab.database.transaction() as session:
                left = {read_run(session, run_id).status for run_id in self.wishes}
            assert left <= {"completed", "cancelled", "failed"}
        finally:
            self.lab.close()


TestRunLife = RunLife.TestCase
TestRunLife.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
