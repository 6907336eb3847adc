"""Data of a report, read once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from lab.datasets.load import DATASETS, DatasetInfo
from lab.errors import DatasetUnavailableError, InvalidRequestError
from lab.experiments.cautions import find_warnings
from lab.runs.epochs import LayerStatistics
from lab.runs.layer_statistics import read_layer_statistics
from lab.runs.records import ExperimentRecord, RunRecord, find_experiment, read_experiment, read_metrics
from service.comparison.compare import compare_experiment
from service.comparison.schemas import ComparisonOut
from service.mistakes.answers import Answers, read_answers
from service.plots.catalog import PlotCatalog
from service.plots.reliability import collect_reliability
from service.report.repeat_request import find_repeating_request
from service.results.configurations import ConfigurationResult, summarize_configurations
from service.results.runs import ResultRow, summarize_run
from service.test_images import TestImages

MOST_SMALL_LINES = 8
"""Figures of more configurations need the width of the page."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """An experiment with its results, comparison, predictions and plots.

    ``catalog_without_instance`` is None where leaving instance normalization out would change nothing or
    leave nothing. ``answers`` and ``comparison`` are None where they are not available; ``gaps`` says why.
    ``repeating_request`` is None if no request of this version means the same runs.
    """

    experiment: ExperimentRecord
    request: dict[str, Any]
    repeating_request: dict[str, Any] | None
    rows: Sequence[ResultRow]
    results: Sequence[ConfigurationResult]
    warnings: Sequence[str]
    comparison: ComparisonOut | None
    answers: Answers | None
    layer_statistics: Mapping[int, Sequence[LayerStatistics]]
    catalog: PlotCatalog
    catalog_without_instance: PlotCatalog | None
    gaps: Sequence[str]

    @property
    def dataset(self) -> DatasetInfo:
        """The data set of the experiment."""
        return DATASETS[self.experiment.dataset]

    @property
    def normalizations_without_instance(self) -> list[str]:
        """The normalizations of the experiment, leaving out instance."""
        present = dict.fromkeys(run.config.normalization for run in self.experiment.runs)
        return [name for name in present if name != "instance"]

    @property
    def completed(self) -> list[RunRecord]:
        """The completed runs."""
        return [run for run in self.experiment.runs if run.is_completed]

    @property
    def seeds(self) -> list[int]:
        """All seeds of the experiment."""
        return sorted({run.config.seed for run in self.experiment.runs})

    @property
    def ranked(self) -> list[ConfigurationResult]:
        """Configurations with a completed run, by their mean final test accuracy, best first."""
        finished = [result for result in self.results if result.final_test_accuracy]
        return sorted(finished, key=lambda result: -_read_mean(result))


def collect_material(session: Session, test_images: TestImages, experiment_id: int) -> Material:
    """Read the experiment and compare its configurations; metrics and predictions are read once.

    Raises:
        NotFoundError: there is no experiment with that id.
    """
    experiment = read_experiment(session, experiment_id)
    run_ids = [run.id for run in experiment.runs]
    metrics = read_metrics(session, run_ids)
    layer_statistics = read_layer_statistics(session, run_ids)
    rows = [summarize_run(run, metrics[run.id]) for run in experiment.runs]
    request = find_experiment(session, experiment_id).request
    gaps: list[str] = []
    answers = comparison = is_correct = None
    try:
        answers = read_answers(session, test_images, experiment)
        is_correct = {
            run.id: ~is_missed for run, is_missed in zip(answers.runs, answers.is_missed, strict=True)
        }
    except DatasetUnavailableError as error:
        gaps.append(f"Misclassified images are not shown: {error}")
    try:
        comparison = compare_experiment(session, test_images, experiment, is_correct=is_correct)
    except InvalidRequestError as error:
        gaps.append(f"Pairs are not compared: {error}")

    def make_catalog(normalizations: Collection[str] | None = None) -> PlotCatalog:
        return PlotCatalog(
            experiment,
            read_metrics=lambda: metrics,
            read_reliability=partial(collect_reliability, session, test_images),
            read_layer_statistics=lambda: layer_statistics,
            pairs=comparison.pairs if comparison else None,
            normalizations=normalizations,
            is_compact=len(experiment.configurations) <= MOST_SMALL_LINES,
        )

    present = {run.config.normalization for run in experiment.runs}
    others = present - {"instance"}
    return Material(
        experiment=experiment,
        request=request,
        repeating_request=find_repeating_request(experiment, request),
        rows=rows,
        results=summarize_configurations(rows),
        warnings=find_warnings([run.config for run in experiment.runs], is_tuned=experiment.is_tuned),
        comparison=comparison,
        answers=answers if answers and answers.runs else None,
        layer_statistics=layer_statistics,
        catalog=make_catalog(),
        catalog_without_instance=make_catalog(others) if others and others != present else None,
        gaps=gaps,
    )


def _read_mean(result: ConfigurationResult) -> float:
    return result.final_test_accuracy.mean if result.final_test_accuracy else 0.0
