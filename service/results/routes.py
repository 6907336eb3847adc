"""Results of an experiment's runs and configurations: JSON, CSV, Markdown, LaTeX."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from lab.experiments.cautions import find_warnings
from lab.runs.records import read_metrics
from service.dependencies import ExperimentDep, SessionDep
from service.results.configurations import ConfigurationResult, summarize_configurations
from service.results.runs import ResultRow, summarize_run
from service.results.tables import write_configuration_csv, write_latex, write_markdown, write_run_csv

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["experiments"])

TEXT_FORMATS: dict[str, dict[str, str]] = {"text/csv": {}, "text/markdown": {}, "application/x-latex": {}}


class ResultsOut(BaseModel):
    """The results of each run and each configuration."""

    experiment_id: int
    dataset: str
    status: str
    configurations: list[ConfigurationResult]
    runs: list[ResultRow]
    warnings: list[str] = Field(description="What keeps the figures from saying more.")


@router.get("/results", response_model=ResultsOut, responses={200: {"content": TEXT_FORMATS}})
def show_results(
    experiment: ExperimentDep,
    session: SessionDep,
    answer_format: Annotated[Literal["json", "csv", "markdown", "latex"], Query(alias="format")] = "json",
    by: Annotated[Literal["run", "configuration"], Query(description="What a line of the CSV is.")] = "run",
) -> Response | ResultsOut:
    """Show the results of each configuration over its seeds and of each run, with warnings.

    The LaTeX table (booktabs) is of the configurations.
    """
    metrics = read_metrics(session, [run.id for run in experiment.runs])
    rows = [summarize_run(run, metrics[run.id]) for run in experiment.runs]
    results = summarize_configurations(rows)
    warnings = find_warnings([run.config for run in experiment.runs], is_tuned=experiment.is_tuned)
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
