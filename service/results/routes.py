"""What an experiment's runs and configurations came to, and which is better as far as the seeds can tell."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from lab.runs.records import read_experiment, read_metrics
from service.comparison.compare import compare_experiment
from service.comparison.schemas import ComparisonOut
from service.comparison.scores import Metric
from service.dependencies import SessionDep
from service.experiments.requests import RowId
from service.mistakes.test_images import TestImagesDep
from service.results.configurations import ConfigurationResult, summarize_configurations
from service.results.runs import ResultRow, find_warnings, summarize_run
from service.results.tables import write_configuration_csv, write_latex, write_markdown, write_run_csv

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["experiments"])

TEXT_FORMATS: dict[str, dict[str, str]] = {"text/csv": {}, "text/markdown": {}, "application/x-latex": {}}


class ResultsOut(BaseModel):
    """What each run and each configuration came to."""

    experiment_id: int
    dataset: str
    status: str
    configurations: list[ConfigurationResult]
    runs: list[ResultRow]
    warnings: list[str] = Field(description="What keeps the figures from saying more.")


@router.get("/results", response_model=ResultsOut, responses={200: {"content": TEXT_FORMATS}})
def show_results(
    experiment_id: RowId,
    session: SessionDep,
    answer_format: Annotated[Literal["json", "csv", "markdown", "latex"], Query(alias="format")] = "json",
    by: Annotated[Literal["run", "configuration"], Query(description="What a line of the CSV is.")] = "run",
) -> Response | ResultsOut:
    """The findings: each configuration over its seeds, each run by itself, and the warnings beside them.

    The LaTeX table (booktabs) is of the configurations.
    """
    experiment = read_experiment(session, experiment_id)
    metrics = read_metrics(session, [run.id for run in experiment.runs])
    rows = [summarize_run(run, metrics[run.id]) for run in experiment.runs]
    results = summarize_configurations(rows)
    warnings = find_warnings([run.config for run in experiment.runs])
    if answer_format == "csv":
        text = write_run_csv(rows) if by == "run" else write_configuration_csv(results)
        return Response(text, media_type="text/csv")
    if answer_format == "markdown":
        text = write_markdown(rows, results, title=experiment.name, warnings=warnings)
        return Response(text, media_type="text/markdown")
    if answer_format == "latex":
        text = write_latex(results, title=experiment.name, warnings=warnings)
        return Response(text, media_type="application/x-latex; charset=utf-8")
    return ResultsOut(
        experiment_id=experiment.id,
        dataset=experiment.dataset,
        status=experiment.status,
        configurations=results,
        runs=rows,
        warnings=warnings,
    )


@router.get("/comparison")
def show_comparison(
    experiment_id: RowId,
    test_images: TestImagesDep,
    session: SessionDep,
    metric: Annotated[
        Metric, Query(description="Which figure of each run; McNemar's counts are of the final one.")
    ] = "final_test_accuracy",
    reference: Annotated[
        str | None, Query(description="Label of one configuration: compare the others with it alone.")
    ] = None,
) -> ComparisonOut:
    """Every pair of configurations, compared seed by seed, with a verdict in words; then factor by factor.

    Differences are fractions (0.01 is one point), a's accuracy minus b's. Only seeds that both configurations
    have completed count. A verdict says better only where the Holm-adjusted exact p is below 0.05; below six
    seeds it is always `cannot_conclude`. Name a `reference` before looking at the figures: fewer pairs need
    fewer seeds.
    """
    experiment = read_experiment(session, experiment_id)
    return compare_experiment(session, test_images, experiment, metric=metric, reference=reference)
