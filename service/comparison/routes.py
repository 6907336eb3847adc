"""Comparison of an experiment's configurations: every pair and factor, with a verdict."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.comparison.compare import compare_experiment
from service.comparison.schemas import ComparisonOut
from service.comparison.scores import Metric
from service.dependencies import ExperimentDep, SessionDep
from service.test_images import TestImagesDep

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["experiments"])


@router.get("/comparison")
def show_comparison(
    experiment: ExperimentDep,
    test_images: TestImagesDep,
    session: SessionDep,
    metric: Annotated[
        Metric, Query(description="Which figure of each run; McNemar's counts are of the final one.")
    ] = "final_test_accuracy",
    reference: Annotated[
        str | None, Query(description="Label of one configuration: compare the others with it alone.")
    ] = None,
    margin: Annotated[
        float | None,
        Query(
            gt=0, lt=1, description="Differences up to this fraction are practically none; 0.001 on MNIST."
        ),
    ] = None,
) -> ComparisonOut:
    """Compare every pair of configurations, seed by seed, with a verdict; then factor by factor.

    Differences are fractions (0.01 is one point), a's accuracy minus b's. Only seeds that both configurations
    have completed count. All that the answer asserts is judged together: a verdict says better only where
    `p_adjusted` is at most `level`, 0.05 at a first look; below six seeds it is always `cannot_conclude`.
    Name a `reference` before looking at the figures: fewer pairs leave more power.
    """
    return compare_experiment(
        session, test_images, experiment, metric=metric, reference=reference, margin=margin
    )
