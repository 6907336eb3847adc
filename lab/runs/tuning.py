"""Start the runs that wait for learning rates, once their tuning has ended."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lab.database.tables import UNFINISHED, Run, now
from lab.experiments.tuning import Tuning, choose_rates
from lab.queue.job_queue import JobQueue
from lab.runs.locks import lock_experiment, lock_runs
from lab.runs.queueing import queue_in_bundles
from lab.runs.records import find_experiment, list_completed_runs, read_tuning


def list_waiting(session: Session) -> list[int]:
    """List the experiments whose runs wait for learning rates."""
    query = sa.select(Run.experiment_id).where(UNFINISHED, Run.is_waiting).distinct()
    return list(session.scalars(query))


def start_tuned_runs(session: Session, queue: JobQueue, experiment_id: int) -> None:
    """Choose the learning rates if all their runs have ended, and queue the runs that waited for them.

    Runs of a configuration of which no learning rate could be trained fail. Works in the caller's transaction
    and may be repeated without harm.

    Raises:
        NotFoundError: there is no such experiment.
    """
    # Looked at without a lock first: this is asked again and again while the tuning goes on.
    tuning = read_tuning(find_experiment(session, experiment_id))
    if tuning is None or _is_under_way(session, tuning):
        return
    experiment = lock_experiment(session, experiment_id)
    waiting = lock_runs(session, Run.experiment_id == experiment_id, Run.is_waiting.is_(True))
    if not waiting:
        return
    tuned = _choose(session, tuning, labels=list(dict.fromkeys(run.config["label"] for run in waiting)))
    experiment.tuning = tuned.to_json()
    rates = tuned.rates
    for run in waiting:
        run.is_waiting = False
        if (rate := rates.get(run.config["label"])) is not None:
            run.config = {**run.config, "learning_rate": rate}
        else:
            run.finished_at = now()
            run.error = (
                f"None of its learning rates was trained to the end in experiment {tuning.experiment_id}."
            )
    ready = [run for run in waiting if run.error is None and not run.is_paused]
    if ready:
        queue_in_bundles(session, queue, ready)


def _is_under_way(session: Session, tuning: Tuning) -> bool:
    """Whether a run of the tuning experiment may still complete; none of a deleted one does."""
    is_to_come = sa.or_(Run.job_id.is_not(None), Run.is_paused)
    query = sa.select(Run.id).where(Run.experiment_id == tuning.experiment_id, UNFINISHED, is_to_come)
    return session.scalar(query.limit(1)) is not None


def _choose(session: Session, tuning: Tuning, *, labels: list[str]) -> Tuning:
    accuracies: dict[str, list[float]] = {}
    for run in list_completed_runs(session, experiment_id=tuning.experiment_id):
        if run.last_metric is not None and run.last_metric.validation_accuracy is not None:
            accuracies.setdefault(run.config.label, []).append(run.last_metric.validation_accuracy)
    return choose_rates(tuning, labels=labels, accuracies=accuracies)
