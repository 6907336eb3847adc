"""Scores of an experiment: one row per configuration, one column per seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lab.experiments.configs import RunConfig
from lab.experiments.factors import Settings, read_settings
from lab.runs.records import ExperimentRecord, RunRecord
from lab.wording import join_words

Metric = Literal["final_test_accuracy", "test_accuracy_at_best_validation"]

MOST_NAMED = 6


@dataclass(frozen=True, kw_only=True)
class Scores:
    """``values[i, j]`` is the score of configuration i with seed j; NaN where the run has not completed.

    ``is_tuned`` says that each configuration's learning rate was tuned for it.
    """

    configs: list[RunConfig]
    seeds: list[int]
    values: NDArray[np.float64]
    unfinished: list[RunRecord]
    is_tuned: bool = False

    @property
    def settings(self) -> list[Settings]:
        """The configurations' factors."""
        return [read_settings(config, is_tuned=self.is_tuned) for config in self.configs]

    @property
    def labels(self) -> list[str]:
        """The configurations' labels, all different."""
        return [config.label for config in self.configs]

    def combine(self, weights: Mapping[int, float]) -> NDArray[np.float64]:
        """Sum the weighted scores of configurations for each seed; NaN where one has not completed."""
        total = sum(weight * self.values[index] for index, weight in weights.items())
        combined: NDArray[np.float64] = np.asarray(total, dtype=np.float64)
        return combined

    def describe_unfinished(self, indices: tuple[int, ...] | None = None) -> str | None:
        """Name the runs that are left out as not completed, of some or all configurations; None if none."""
        labels = {
            self.labels[index] for index in (indices if indices is not None else range(len(self.labels)))
        }
        seeds: dict[tuple[str, str], list[str]] = {}
        for run in self.unfinished:
            if run.config.label in labels:
                seeds.setdefault((run.config.label, run.status), []).append(str(run.config.seed))
        if not seeds:
            return None
        named = [
            f"{label}, seed{'s' if len(of_status) > 1 else ''} {join_words(of_status)} ({status})"
            for (label, status), of_status in seeds.items()
        ]
        more = f"; and those of {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        note = f"Left out, because not completed: {'; '.join(named[:MOST_NAMED])}{more}."
        if any(status == "failed" for _, status in seeds):
            note += (
                " Failing may be the configuration's own doing, and what is said of it counts only the seeds "
                "that held."
            )
        return note


def read_final_accuracies(experiment: ExperimentRecord) -> dict[int, float | None]:
    """Read each run's final test accuracy, by run id."""
    return {run.id: run.last_metric.test_accuracy if run.last_metric else None for run in experiment.runs}


def collect_scores(experiment: ExperimentRecord, values: Mapping[int, float | None]) -> Scores:
    """Arrange the completed runs' values, given by run id, by configuration and seed."""
    seeds = sorted({run.config.seed for run in experiment.runs})
    columns = {seed: column for column, seed in enumerate(seeds)}
    table = np.full((len(experiment.configurations), len(seeds)), np.nan)
    for row, configuration in enumerate(experiment.configurations):
        for run in configuration.runs:
            value = values.get(run.id)
            if run.is_completed and value is not None:
                table[row, columns[run.config.seed]] = value
    return Scores(
        configs=[configuration.config for configuration in experiment.configurations],
        seeds=seeds,
        values=table,
        unfinished=[run for run in experiment.runs if not run.is_completed],
        is_tuned=experiment.is_tuned,
    )
