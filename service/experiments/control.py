"""Cancel, pause, resume and delete an experiment; asking twice does no harm."""

from fastapi import APIRouter, BackgroundTasks

from lab.runs.control import cancel_experiment, delete_experiment, pause_experiment, resume_experiment
from lab.runs.records import read_experiment
from service.dependencies import ResourcesDep, RowId, SessionDep, run_in_turn
from service.experiments.responses import ExperimentOut, view_experiment

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["experiments"])


@router.post("/cancel")
def cancel(
    experiment_id: RowId, resources: ResourcesDep, session: SessionDep, background: BackgroundTasks
) -> ExperimentOut:
    """Stop every unfinished run for good, between two steps; results are kept."""
    background.add_task(
        run_in_turn, resources, resources.queue.withdraw, cancel_experiment(session, experiment_id)
    )
    return view_experiment(read_experiment(session, experiment_id))


@router.post("/pause")
def pause(
    experiment_id: RowId, resources: ResourcesDep, session: SessionDep, background: BackgroundTasks
) -> ExperimentOut:
    """Stop every queued or running run, between two steps, until it is resumed."""
    background.add_task(
        run_in_turn, resources, resources.queue.withdraw, pause_experiment(session, experiment_id)
    )
    return view_experiment(read_experiment(session, experiment_id))


@router.post("/resume")
def resume(experiment_id: RowId, resources: ResourcesDep, session: SessionDep) -> ExperimentOut:
    """Queue every paused run again; it continues from the step where it stopped."""
    resume_experiment(session, resources.queue, experiment_id)
    return view_experiment(read_experiment(session, experiment_id))


@router.delete("", status_code=204)
def delete(
    experiment_id: RowId, resources: ResourcesDep, session: SessionDep, background: BackgroundTasks
) -> None:
    """Remove the experiment with all its runs, figures and weights; running ones are stopped."""
    background.add_task(
        run_in_turn, resources, resources.queue.withdraw, delete_experiment(session, experiment_id)
    )
    background.add_task(run_in_turn, resources, resources.database.reclaim_space)
