"""Add seeds to an experiment: a number of them, or until everything is settled."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field, StrictInt

from lab.experiments.planning import MAX_RUNS
from lab.runs.records import read_experiment
from lab.runs.seeds import add_seeds, add_seeds_until_settled
from service.dependencies import ResourcesDep, RowId, SessionDep, StrictModel
from service.experiments.responses import ExperimentOut, view_experiment

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["experiments"])


class AddIn(StrictModel):
    """A number of seeds to add."""

    add: StrictInt = Field(ge=1, le=MAX_RUNS, description="How many more seeds for every configuration.")


class UntilIn(StrictModel):
    """Seeds to add until every pair is settled."""

    until: Literal["settled"]
    max: StrictInt = Field(
        24, le=MAX_RUNS, description="The most seeds that each configuration may have in the end."
    )


@router.post("/seeds", status_code=202)
def add(
    experiment_id: RowId, body: AddIn | UntilIn, resources: ResourcesDep, session: SessionDep
) -> ExperimentOut:
    """Train every configuration with more seeds, the next after the highest.

    `{"add": 4}` adds four; a resent request adds again. Where six seeds or more could already be seen, this
    is another look at the same question, which nobody planned: it is judged at half of the last look's level.

    `{"until": "settled", "max": 24}` plans looks with 6, 10, 16 and 24 seeds and takes them one by one, until
    each pair is better, worse or practically the same. They share the level of a single look, or, where
    results could be seen before, half of the last one's.

    Either way, looking again until something shows does not find what is not there; the comparison says at
    which level it judges.
    """
    if isinstance(body, AddIn):
        add_seeds(session, resources.queue, experiment_id, number=body.add)
    else:
        add_seeds_until_settled(session, resources.queue, experiment_id, most=body.max)
    return view_experiment(read_experiment(session, experiment_id))
