"""Runs grouped as plots need them: by configuration, by batch size, by their differences."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from lab.database.tables import EpochMetric
from lab.errors import InvalidRequestError
from lab.experiments.configs import RunConfig
from lab.experiments.factors import FACTORS, describe_level, read_settings
from lab.experiments.tuning import Tuning
from lab.runs.records import ConfigurationRecord, ExperimentRecord, RunRecord
from service.drawing.palette import Configuration
from service.plots.curves import RunCurves
from service.plots.ranking import RankedConfiguration
from service.plots.sweeps import SweepPoint


def make_curves(run: RunRecord, metrics: Sequence[EpochMetric]) -> RunCurves:
    """Make lists of the run's recorded epochs."""
    config = run.config
    return RunCurves(
        run_id=run.id,
        label=config.label,
        normalization=config.normalization,
        penalty=config.penalty,
        seed=config.seed,
        epochs=[row.epoch for row in metrics],
        train_loss=[row.train_loss for row in metrics],
        train_accuracy=[row.train_accuracy for row in metrics],
        validation_loss=[row.validation_loss for row in metrics],
        validation_accuracy=[row.validation_accuracy for row in metrics],
        test_loss=[row.test_loss for row in metrics],
        test_accuracy=[row.test_accuracy for row in metrics],
    )


def rank_configurations(experiment: ExperimentRecord) -> list[RankedConfiguration]:
    """Rank the configurations that have completed runs by their mean final accuracy, best first."""
    ranked = [
        RankedConfiguration(
            label=configuration.label,
            normalization=configuration.config.normalization,
            accuracies=accuracies,
        )
        for configuration in experiment.configurations
        if (accuracies := _list_accuracies(configuration.runs))
    ]
    return sorted(ranked, key=lambda one: -sum(one.accuracies) / len(one.accuracies))


def make_batch_size_points(experiment: ExperimentRecord) -> list[SweepPoint]:
    """Place each configuration at its batch size, on the line of those that differ in nothing else."""
    configs = [configuration.config for configuration in experiment.configurations]
    names = describe_differences(configs, leave_out=("batch_size",))
    return [
        SweepPoint(
            line=Configuration(
                label=names[configuration.label],
                normalization=configuration.config.normalization,
                penalty=configuration.config.penalty,
            ),
            value=configuration.config.batch_size,
            accuracies=_list_accuracies(configuration.runs),
        )
        for configuration in experiment.configurations
    ]


def make_tuning_points(experiment: ExperimentRecord, tuning: Tuning) -> list[SweepPoint]:
    """Place each configuration at each learning rate that was tried for it."""
    lines = {
        config.label: Configuration(
            label=config.label, normalization=config.normalization, penalty=config.penalty
        )
        for config in (configuration.config for configuration in experiment.configurations)
    }
    return [
        SweepPoint(
            line=lines[point.label],
            value=point.learning_rate,
            accuracies=point.accuracies,
            is_chosen=point.is_chosen,
        )
        for point in tuning.points
        if point.label in lines
    ]


def select_runs(experiment: ExperimentRecord, normalizations: Collection[str] | None) -> ExperimentRecord:
    """Return the experiment with only the runs of these normalizations; with all if None.

    Raises:
        InvalidRequestError: the experiment has no run with these normalizations.
    """
    if normalizations is None:
        return experiment
    runs = [run for run in experiment.runs if run.config.normalization in normalizations]
    if not runs:
        present = ", ".join(dict.fromkeys(run.config.normalization for run in experiment.runs))
        raise InvalidRequestError(
            f"Experiment {experiment.id} has no run with {', '.join(normalizations)}; it has {present}."
        )
    return replace(experiment, runs=runs)


def pick_comparable(
    configurations: Sequence[ConfigurationRecord], *, most: int
) -> Sequence[ConfigurationRecord]:
    """All the configurations if they are at most ``most``; else the first of each normalization.

    One without a penalty comes before those with one.
    """
    if len(configurations) <= most:
        return configurations
    picked: dict[str, ConfigurationRecord] = {}
    for one in sorted(configurations, key=lambda one: one.config.penalty != "none"):
        picked.setdefault(one.config.normalization, one)
    return [one for one in configurations if one in picked.values()]


def describe_differences(configs: Sequence[RunConfig], *, leave_out: Sequence[str]) -> dict[str, str]:
    """Describe each configuration, by label, by its levels of the factors that vary.

    Configurations that differ only in the factors left out get the same words.
    """
    settings = [read_settings(config) for config in configs]
    varying = [
        name
        for name in FACTORS
        if name not in leave_out and len({repr(each[name]) for each in settings} - {"None"}) > 1
    ]
    return {
        config.label: ", ".join(_describe(name, each[name]) for name in varying if each[name] is not None)
        for config, each in zip(configs, settings, strict=True)
    }


def _describe(name: str, value: object) -> str:
    level = describe_level(name, value)
    if name == "normalization":
        return "no norm" if level == "none" else level
    if name == "penalty":
        return "no penalty" if level == "none" else level.upper().replace("+", " + ")
    return f"{name.replace('_', ' ')} {level}"


def _list_accuracies(runs: Sequence[RunRecord]) -> list[float]:
    """List the final test accuracies of the completed runs."""
    return [run.last_metric.test_accuracy for run in runs if run.is_completed and run.last_metric]
