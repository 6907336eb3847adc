"""Add seeds to an experiment."""

from fastapi import APIRouter
from pydantic import Field, StrictInt

from lab.experiments.planning import MAX_RUNS
from lab.runs.control import add_seeds
from lab.runs.records import read_experiment
from service.dependencies import ResourcesDep, RowId, SessionDep, StrictModel
from service.experiments.responses import ExperimentOut, view_experiment

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["experiments"])


class SeedsIn(StrictModel):
    """The seeds to add."""

    add: StrictInt = Field(ge=1, le=MAX_RUNS, description="How many more seeds for every configuration.")


@router.post("/seeds", status_code=202)
def add(experiment_id: RowId, body: SeedsIn, resources: ResourcesDep, session: SessionDep) -> ExperimentOut:
    """Train every configuration with more seeds, the next after the highest.

    Where six seeds or more could already be seen, this is another look at the same question. It is judged at
    half of the last look's level, so that looking again until something shows finds nothing that is not
    there; the comparison says so. A resent request adds again.
    """
    add_seeds(session, resources.queue, experiment_id, number=body.add)
    return view_experiment(read_experiment(session, experiment_id))
