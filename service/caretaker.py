"""The service's work between requests: it starts tuned runs, and takes planned looks."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lab.datasets.load import DATASETS
from lab.runs.records import read_experiment
from lab.runs.seeds import list_settling, take_next_look
from lab.runs.tuning import list_waiting, start_tuned_runs
from service.comparison.answer import answer_all, choose_margin
from service.comparison.scores import collect_scores, read_final_accuracies
from service.dependencies import Resources

POLL_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Caretaker:
    """A thread that looks after experiments while the service runs.

    All it does may be done by several services at once, and again after a crash.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caretaker", daemon=True)

    def start(self) -> None:
        """Begin to look after experiments."""
        self._thread.start()

    def stop(self) -> None:
        """End it, once the present step is done."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            take_care(self._resources)


def take_care(resources: Resources) -> None:
    """Do what is due now; what fails is logged and tried again the next time."""
    for find, act in ((list_waiting, _start_tuned), (list_settling, _look)):
        due: list[int] = []
        with _log_failure(), resources.database.transaction() as session:
            due = find(session)
        for experiment_id in due:
            with _log_failure():
                act(resources, experiment_id)


@contextmanager
def _log_failure() -> Iterator[None]:
    """Log whatever fails: one experiment that cannot be looked after must not end the thread for all."""
    try:
        yield
    except Exception:
        logger.exception("An experiment cannot be looked after now")


def _start_tuned(resources: Resources, experiment_id: int) -> None:
    with resources.database.transaction() as session:
        start_tuned_runs(session, resources.queue, experiment_id)


def _look(resources: Resources, experiment_id: int) -> None:
    """Judge the experiment, and queue more seeds unless every pair is settled."""
    with resources.database.transaction() as session:
        experiment = read_experiment(session, experiment_id)
    scores = collect_scores(experiment, read_final_accuracies(experiment))
    margin = choose_margin(DATASETS[experiment.dataset].test_size)
    answer = answer_all(scores, margin=margin, level=experiment.level)
    num_more_seeds = max(look.num_seeds for look in experiment.looks) - experiment.num_seeds
    with resources.database.transaction() as session:
        take_next_look(
            session,
            resources.queue,
            experiment_id,
            num_seeds=experiment.num_seeds,
            is_settled=not answer.can_settle_more(num_more_seeds),
        )
