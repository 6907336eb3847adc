"""Run status and the reasons for a stall: derived here and stored nowhere.

The sources are the run's own row, the queue's state of the job it belongs to, and the workers that live.
"""

from collections.abc import Collection
from typing import Literal, get_args

import sqlalchemy as sa

from lab.database.tables import Run
from lab.queue.job_queue import JOBS, QUEUED_STATES, RUNNING_STATE, WAITING_STATE
from lab.queue.workers import Workforce

Status = Literal["running", "queued", "paused", "failed", "cancelled", "completed"]
STATUSES: tuple[Status, ...] = get_args(Status)
"""An experiment has the first of these that any of its runs has."""

ACTIVE: tuple[Status, ...] = ("running", "queued")

JOB_OF_RUN = (JOBS, JOBS.c.workflow_uuid == Run.job_id)
"""To join runs with the state of their job: ``select(…).outerjoin(*JOB_OF_RUN)``."""

LOST_JOB = "The worker gave the job up without a reason; its log has the traceback."


def select_status(workforce: Workforce) -> sa.Case[Status]:
    """The status of a run as an SQL expression.

    A job whose worker is not alive is queued: it waits for another, or for that one to come back.
    """
    is_held = JOBS.c.status == RUNNING_STATE
    return sa.case(
        (Run.error.is_not(None), "failed"),
        (Run.finished_at.is_not(None), "completed"),
        (Run.is_paused, "paused"),
        (Run.is_waiting, "queued"),
        (Run.job_id.is_(None), "cancelled"),
        (JOBS.c.status.in_(QUEUED_STATES), "queued"),
        (is_held & JOBS.c.executor_id.in_(workforce.alive), "running"),
        (is_held, "queued"),
        else_="failed",
    )


def combine_statuses(statuses: Collection[Status]) -> Status:
    """Combine the statuses of an experiment's runs into one; completed without any."""
    return next((status for status in STATUSES if status in statuses), "completed")


def is_stuck(workforce: Workforce) -> sa.ColumnElement[bool]:
    """Condition: the run's job waits for more than its turn, for a stalled worker or for a retry."""
    is_held = JOBS.c.status == RUNNING_STATE
    is_moving = JOBS.c.executor_id.in_(workforce.alive) & JOBS.c.executor_id.not_in(workforce.stalled)
    return sa.or_(JOBS.c.status == WAITING_STATE, is_held & ~is_moving)


def explain_stall(
    status: Status, workforce: Workforce, *, job_state: str | None, worker_id: str | None, problem: str | None
) -> str | None:
    """Explain in a sentence why a run does not continue; None if it does, or should not."""
    if status not in ACTIVE:
        return None
    if not workforce.alive:
        return explain_halt(workforce)
    worker = workforce.workers.get(worker_id or "")
    if worker is not None and worker.is_stalled:
        return f"{worker.id} has not made a step for {worker.idle_seconds:.0f} s."
    if job_state == RUNNING_STATE and status == "queued":
        return f"{worker_id}, which trained it, is no longer heard of; another worker takes it over."
    if job_state == WAITING_STATE:
        return f"It is tried again after a pause; the last attempt ended with: {problem}"
    return None


def explain_halt(workforce: Workforce) -> str:
    """Explain why nothing moves when no worker is alive."""
    silent = next(iter(workforce.workers.values()), None)
    if silent is None:
        return "No worker is alive to train it; start one with: python -m worker."
    return f"{silent.id} has not been heard of for {silent.silent_seconds:.0f} s; no other worker is alive."
