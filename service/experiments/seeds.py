"""Add seeds to an experiment: a number of them, or until every pair is settled."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field, StrictInt, model_validator

from lab.experiments.planning import MAX_RUNS
from lab.runs.records import read_experiment
from lab.runs.seeds import add_seeds, add_seeds_until_settled
from service.dependencies import ResourcesDep, RowId, SessionDep, StrictModel
from service.experiments.responses import ExperimentOut, view_experiment

MOST_SEEDS = 24

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["experiments"])


class SeedsIn(StrictModel):
    """The seeds to add: a number of them, or until every pair is settled."""

    add: StrictInt | None = Field(
        None, ge=1, le=MAX_RUNS, description="How many more seeds for every configuration."
    )
    until: Literal["settled"] | None = None
    max: StrictInt | None = Field(
        None,
        le=MAX_RUNS,
        description="With until: the most seeds of each configuration in the end; 24 if not given.",
    )

    @model_validator(mode="after")
    def check_choice(self) -> "SeedsIn":
        """Refuse both and neither."""
        if (self.add is None) == (self.until is None) or (self.add is not None and self.max is not None):
            raise ValueError('give {"add": n}, or {"until": "settled", "max": n}')
        return self


@router.post("/seeds", status_code=202)
def add(experiment_id: RowId, body: SeedsIn, resources: ResourcesDep, session: SessionDep) -> ExperimentOut:
    """Train every configuration with more seeds, the next after the highest.

    `{"add": 4}` adds four; a resent request adds again. Where six seeds or more could already be seen, this
    is another look at the same question, which nobody planned: it is judged at half of the last look's level.

    `{"until": "settled", "max": 24}` plans looks with 6, 10, 16 and 24 seeds and takes them one by one, until
    each pair is better, worse or practically the same. They share the level of a single look, or, where
    results could be seen before, half of the last one's.

    Either way, looking again until something shows does not find what is not there; the comparison says at
    which level it judges.
    """
    if body.add is not None:
        add_seeds(session, resources.queue, experiment_id, number=body.add)
    else:
        most = MOST_SEEDS if body.max is None else body.max
        add_seeds_until_settled(session, resources.queue, experiment_id, most=most)
    return view_experiment(read_experiment(session, experiment_id))
