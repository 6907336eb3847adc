"""Everything a report is written from, read at one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from lab.datasets.load import DATASETS, DatasetInfo
from lab.errors import DatasetUnavailableError, InvalidRequestError
from lab.experiments.cautions import find_warnings
from lab.runs.records import ExperimentRecord, RunRecord, find_experiment, read_experiment, read_metrics
from service.comparison.compare import compare_experiment
from service.comparison.schemas import ComparisonOut
from service.mistakes.answers import Answers, read_answers
from service.mistakes.test_images import TestImages
from service.plots.catalog import PlotCatalog
from service.plots.groups import group_by_label
from service.report.repeat_request import find_repeating_request
from service.results.configurations import ConfigurationResult, summarize_configurations
from service.results.runs import ResultRow, summarize_run

MOST_SMALL_LINES = 8
"""Figures of more configurations need the width of the page."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """An experiment and what was made of it.

    ``catalog_without_instance`` is None where leaving instance normalization out would change nothing or
    leave nothing. ``answers`` and ``comparison`` are None where they cannot be had, and ``gaps`` says why.
    ``repeating_request`` is None where no request of this version means the same runs.
    """

    experiment: ExperimentRecord
    request: dict[str, Any]
    repeating_request: dict[str, Any] | None
    rows: Sequence[ResultRow]
    results: Sequence[ConfigurationResult]
    warnings: Sequence[str]
    comparison: ComparisonOut | None
    answers: Answers | None
    catalog: PlotCatalog
    catalog_without_instance: PlotCatalog | None
    gaps: Sequence[str]

    @property
    def dataset(self) -> DatasetInfo:
        """The data set it was trained and tested on."""
        return DATASETS[self.experiment.dataset]

    @cached_property
    def configurations(self) -> dict[str, list[RunRecord]]:
        """Each configuration's label with its runs."""
        return group_by_label(self.experiment.runs)

    @property
    def completed(self) -> list[RunRecord]:
        """Runs whose figures are final."""
        return [run for run in self.experiment.runs if run.is_completed]

    @property
    def seeds(self) -> list[int]:
        """All seeds that occur."""
        return sorted({run.config.seed for run in self.experiment.runs})

    @property
    def ranked(self) -> list[ConfigurationResult]:
        """Configurations with a completed run, the best mean final test accuracy first."""
        finished = [result for result in self.results if result.final_test_accuracy]
        return sorted(finished, key=lambda result: -_read_mean(result))


def collect_material(session: Session, test_images: TestImages, experiment_id: int) -> Material:
    """Read the experiment and compare its configurations.

    Raises:
        NotFoundError: there is none of that id.
    """
    experiment = read_experiment(session, experiment_id)
    metrics = read_metrics(session, [run.id for run in experiment.runs])
    rows = [summarize_run(run, metrics[run.id]) for run in experiment.runs]
    request = find_experiment(session, experiment_id).request
    gaps: list[str] = []
    answers = comparison = None
    try:
        answers = read_answers(session, test_images, experiment)
    except DatasetUnavailableError as error:
        gaps.append(f"Misclassified images are not shown: {error}")
    try:
        comparison = compare_experiment(session, test_images, experiment)
    except InvalidRequestError as error:
        gaps.append(f"Pairs are not compared: {error}")
    return Material(
        experiment=experiment,
        request=request,
        repeating_request=find_repeating_request(experiment, request),
        rows=rows,
        results=summarize_configurations(rows),
        warnings=find_warnings([run.config for run in experiment.runs]),
        comparison=comparison,
        answers=answers if answers and answers.runs else None,
        catalog=PlotCatalog(session, experiment, is_compact=_is_small(experiment)),
        catalog_without_instance=_leave_instance_out(session, experiment),
        gaps=gaps,
    )


def _leave_instance_out(session: Session, experiment: ExperimentRecord) -> PlotCatalog | None:
    present = dict.fromkeys(run.config.normalization for run in experiment.runs)
    others = [name for name in present if name != "instance"]
    if "instance" not in present or not others:
        return None
    return PlotCatalog(session, experiment, normalizations=",".join(others), is_compact=_is_small(experiment))


def _is_small(experiment: ExperimentRecord) -> bool:
    return len(group_by_label(experiment.runs)) <= MOST_SMALL_LINES


def _read_mean(result: ConfigurationResult) -> float:
    return result.final_test_accuracy.mean if result.final_test_accuracy else 0.0
