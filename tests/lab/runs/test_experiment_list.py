import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import cast

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.engine import Database
from lab.database.tables import Experiment, Run, now
from lab.experiments.configs import RunConfig
from lab.experiments.planning import ExperimentSpec
from lab.queue.job_queue import JOBS, JobQueue, upgrade_queue
from lab.queue.worker_slots import claim_slot
from lab.runs.control import submit_experiment
from lab.runs.experiment_list import ListedExperiment, ListFilter, list_experiments
from lab.runs.records import ExperimentRecord, read_experiment
from lab.runs.status import STATUSES, Status
from tests.lab.runs.situations import Submit, beat, finish, make_metric, take

pytestmark = pytest.mark.slow

# What can be of a run, as columns of its own and of its job.
STATES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "queued": ({}, {}),
    "to be tried again": ({"last_problem": "no memory"}, {"status": "DELAYED"}),
    "taken by the first worker": ({}, {"status": "PENDING", "executor_id": "worker-1"}),
    "taken by the second worker": ({}, {"status": "PENDING", "executor_id": "worker-2"}),
    "taken by a worker long gone": ({}, {"status": "PENDING", "executor_id": "worker-7"}),
    "paused": ({"is_paused": True, "job_id": None}, {"status": "PENDING", "executor_id": "worker-1"}),
    "cancelled": ({"job_id": None}, {}),
    "completed": ({"finished_at": now()}, {"status": "SUCCESS"}),
    "completed a moment ago": ({"finished_at": now()}, {"status": "PENDING", "executor_id": "worker-1"}),
    "failed": ({"finished_at": now(), "error": "Because."}, {"status": "SUCCESS"}),
    "lost": ({}, {"status": "ERROR"}),
}
# How long the workers there are have been silent, and their jobs idle.
WORKFORCES: dict[str, list[tuple[float, float | None]]] = {
    "nobody": [],
    "one at work": [(0.0, 0.5)],
    "one at work, one hanging": [(0.0, 0.5), (0.0, 40.0)],
    "one hanging": [(0.0, 40.0)],
    "one silent": [(40.0, 0.5)],
}
EVERYTHING = 1_000


@pytest.fixture(scope="module")
def in_every_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of experiments with one run in each state, and with two in each pair; to be read only."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('states')}/lab.db")
    database.upgrade()
    upgrade_queue(database)
    queue = JobQueue(database)
    pairs = itertools.combinations_with_replacement(STATES, 2)
    with database.transaction() as session:
        for states in (*((state,) for state in STATES), *pairs):
            submit_in_states(session, queue, states)
    queue.close()
    yield database
    database.close()


@pytest.fixture(params=WORKFORCES)
def workforce(request: pytest.FixtureRequest, in_every_state: Database) -> Iterator[None]:
    """Workers that hold their slots in that database, in one of several conditions."""
    with ExitStack() as slots:
        for silent_seconds, idle_seconds in WORKFORCES[request.param]:
            worker_id = slots.enter_context(claim_slot(in_every_state))
            beat(in_every_state, worker_id, silent_seconds=silent_seconds, idle_seconds=idle_seconds)
        yield


def read_all(database: Database) -> list[ExperimentRecord]:
    """Every experiment with its runs, the newest first."""
    with database.transaction() as session:
        ids = session.scalars(sa.select(Experiment.id).order_by(Experiment.id.desc())).all()
        return [read_experiment(session, experiment_id) for experiment_id in ids]


def submit_in_states(session: Session, queue: JobQueue, states: tuple[str, ...]) -> None:
    configs = tuple(
        RunConfig(dataset="digits", schedule="constant", seed=seed, epochs=3 + seed)
        for seed in range(len(states))
    )
    spec = ExperimentSpec(name=" and ".join(states), dataset="digits", preset=None, runs=configs)
    experiment_id = submit_experiment(session, queue, spec=spec, request={})
    runs = session.scalars(sa.select(Run).where(Run.experiment_id == experiment_id).order_by(Run.id)).all()
    for run, state in zip(runs, states, strict=True):
        of_run, of_job = STATES[state]
        if of_job:
            session.execute(sa.update(JOBS).where(JOBS.c.workflow_uuid == run.job_id).values(of_job))
        for name, value in of_run.items():
            setattr(run, name, value)
        # Some have recorded no epoch, some did better before their last.
        for epoch in range(1, run.id % 4 + 1):
            session.add(make_metric(run.id, epoch, test_accuracy=(run.id * 31 + epoch * 47) % 100 / 100))


def sum_up(experiment: ExperimentRecord) -> ListedExperiment:
    """What the list should say of the experiment, worked out from its runs."""
    metrics = [run.last_metric for run in experiment.runs if run.last_metric]
    return ListedExperiment(
        id=experiment.id,
        name=experiment.name,
        dataset=experiment.dataset,
        preset=experiment.preset,
        priority=experiment.priority,
        created_at=experiment.created_at,
        status=experiment.status,
        num_runs_by_status=dict(Counter(run.status for run in experiment.runs)),
        progress=experiment.progress,
        best_test_accuracy=max((metric.test_accuracy for metric in metrics), default=None),
        stalled=experiment.stalled,
    )


def describe(listed: ListedExperiment) -> dict[str, object]:
    """All that is listed, without how many seconds ago something was: they pass between two looks."""
    return {**vars(listed), "stalled": listed.stalled and re.sub(r"\d+ s\b", "… s", listed.stalled)}


def page_through(database: Database, *, limit: int, only: ListFilter) -> list[int]:
    """Ids from every page, one page after the other."""
    ids: list[int] = []
    while True:
        with database.transaction() as session:
            before_id = ids[-1] if ids else None
            page = list_experiments(session, limit=limit, before_id=before_id, only=only)
        assert len(page) <= limit
        ids += [experiment.id for experiment in page]
        if not page:
            return ids


class TestSummary:
    @pytest.mark.usefixtures("workforce")
    def test_agrees_with_the_experiment_itself_whatever_its_runs_and_the_workers_do(
        self, in_every_state: Database
    ) -> None:
        with in_every_state.transaction() as session:
            listed = list_experiments(session, limit=EVERYTHING)
        expected = [sum_up(experiment) for experiment in read_all(in_every_state)]
        assert len(listed) == len(expected)
        for found, summary in zip(listed, expected, strict=True):
            assert describe(found) == describe(summary)

    @pytest.mark.usefixtures("workforce")
    def test_a_status_is_that_of_exactly_those_it_lists(self, in_every_state: Database) -> None:
        statuses = {experiment.id: experiment.status for experiment in read_all(in_every_state)}
        for wanted in STATUSES:
            with in_every_state.transaction() as session:
                listed = list_experiments(session, limit=EVERYTHING, only=ListFilter(status=wanted))
            assert [(experiment.id, experiment.status) for experiment in listed] == [
                (id_, status) for id_, status in statuses.items() if status == wanted
            ]

    def test_names_the_best_of_the_last_epochs_and_the_share_of_all(
        self, database: Database, submit: Submit
    ) -> None:
        experiment = submit(2, epochs=4, priority=7)
        first, second = experiment.runs
        accuracies = {(first.id, 1): 0.99, (first.id, 2): 0.5, (second.id, 1): 0.75}
        with database.transaction() as session:
            for (run_id, epoch), accuracy in accuracies.items():
                session.add(make_metric(run_id, epoch, test_accuracy=accuracy))
        finish(database, first.id)
        with database.transaction() as session:
            (listed,) = list_experiments(session, limit=9)
        assert (listed.best_test_accuracy, listed.progress, listed.priority) == (0.75, 3 / 8, 7)
        assert listed.num_runs_by_status == {"completed": 1, "queued": 1}

    def test_of_none_is_empty(self, database: Database) -> None:
        with database.transaction() as session:
            assert list_experiments(session, limit=9) == []
            filters = [ListFilter(status=status) for status in STATUSES]
            assert [list_experiments(session, limit=9, only=only) for only in filters] == [[]] * 6


class TestPages:
    def test_newest_come_first_page_by_page(self, database: Database, submit: Submit) -> None:
        ids = [submit().id for _ in range(5)]
        with database.transaction() as session:
            first = list_experiments(session, limit=2)
            second = list_experiments(session, limit=2, before_id=first[-1].id)
            third = list_experiments(session, limit=2, before_id=second[-1].id)
            beyond = list_experiments(session, limit=2, before_id=third[-1].id)
        pages = [[experiment.id for experiment in page] for page in (first, second, third, beyond)]
        assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1], []]

    @pytest.mark.parametrize("status", STATUSES)
    def test_of_one_status_lose_and_repeat_nothing(self, in_every_state: Database, status: Status) -> None:
        with claim_slot(in_every_state) as worker_id:
            beat(in_every_state, worker_id)
            expected = [
                experiment.id for experiment in read_all(in_every_state) if experiment.status == status
            ]
            assert len(expected) > 3
            assert page_through(in_every_state, limit=3, only=ListFilter(status=status)) == expected

    def test_lose_and_repeat_nothing_while_others_are_submitted_and_deleted(
        self, database: Database, submit: Submit
    ) -> None:
        ids = [submit().id for _ in range(4)]
        with database.transaction() as session:
            first = list_experiments(session, limit=2)
        submit()
        with database.transaction() as session:
            session.delete(session.get_one(Experiment, ids[2]))
        with database.transaction() as session:
            second = list_experiments(session, limit=2, before_id=first[-1].id)
        assert [experiment.id for experiment in (*first, *second)] == ids[::-1]


class TestDataset:
    def test_is_that_of_exactly_those_it_lists(self, database: Database, submit: Submit) -> None:
        digits = [submit(dataset="digits").id for _ in range(3)]
        mnist = [submit(2, dataset="mnist").id for _ in range(2)]
        for dataset, ids in (("digits", digits), ("mnist", mnist), ("kmnist", [])):
            assert page_through(database, limit=2, only=ListFilter(dataset=dataset)) == ids[::-1]

    def test_and_status_are_asked_for_together(self, database: Database, submit: Submit, worker: str) -> None:
        running, other, queued = submit(dataset="mnist"), submit(), submit(dataset="mnist")
        for experiment in (running, other):
            take(database, experiment.runs[0].id, worker_id=worker)
        for status, id_ in (("running", running.id), ("queued", queued.id)):
            only = ListFilter(dataset="mnist", status=cast(Status, status))
            assert page_through(database, limit=2, only=only) == [id_]


class TestSearch:
    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("batch", ["Batch or group", "batch alone"]),
            ("BATCH A", ["batch alone"]),
            ("100%", ["100% of it"]),
            ("_", []),
            ("\\", []),
            ("2", ["batch alone"]),
            ("99999999999999999999", []),
            ("²", []),
        ],
    )
    def test_finds_a_part_of_the_name_in_any_case_or_the_id(
        self, database: Database, submit: Submit, search: str, found: list[str]
    ) -> None:
        names = ["100% of it", "batch alone", "Batch or group"]
        ids = [submit().id for _ in names]
        with database.transaction() as session:
            for experiment_id, name in zip(ids, names, strict=True):
                session.get_one(Experiment, experiment_id).name = name
        with database.transaction() as session:
            listed = list_experiments(session, limit=9, only=ListFilter(search=search))
        assert [experiment.name for experiment in listed] == found

    def test_goes_on_over_pages(self, database: Database, submit: Submit) -> None:
        ids = [submit().id for _ in range(5)]
        with database.transaction() as session:
            for experiment_id in ids[::2]:
                session.get_one(Experiment, experiment_id).name = "odd"
        assert page_through(database, limit=1, only=ListFilter(search="odd")) == ids[::-2]
