"""Answers about experiments, runs and epochs."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from lab.database.tables import EpochMetric
from lab.experiments.cautions import find_warnings
from lab.runs.experiment_list import ListedExperiment
from lab.runs.records import ExperimentRecord, RunRecord
from lab.runs.status import Status
from lab.wording import join_words


class RunOut(BaseModel):
    """One run: configuration, state, and latest metrics; accuracies 0–1, losses in nats."""

    id: int
    experiment_id: int
    label: str
    normalization: str
    penalty: str
    l1: float
    l2: float
    dropout: float
    groups: list[int] | None
    affine: bool
    penalize: str
    seed: int
    dataset: str
    status: Status
    epoch: int = Field(description="Last epoch recorded; 0 before the first.")
    epochs: int
    train_accuracy: float | None
    validation_accuracy: float | None
    test_accuracy: float | None
    train_loss: float | None
    test_loss: float | None
    recipe: dict[str, Any]
    device: str | None
    variant: str | None = Field(description="Which engine trains it; its figures depend on that.")
    bundle: list[int] = Field(description="The runs its last attempt trained together, this one too.")
    worker: str | None = Field(description="Which worker trains it, while it is running.")
    error: str | None = Field(description="Why the run failed, in a sentence.")
    stalled: str | None = Field(description="Why it does not go on although it should, in a sentence.")
    started_at: datetime | None
    finished_at: datetime | None


class ExperimentSummary(BaseModel):
    """An experiment in a list."""

    id: int
    name: str
    status: Status
    dataset: str
    preset: str | None
    priority: int = Field(description="Queued runs of a higher priority are trained first.")
    progress: float = Field(description="Share of all epochs done, 0–1.")
    stalled: str | None = Field(description="Why nothing moves although it should, in a sentence.")
    num_runs: int
    num_runs_by_status: dict[Status, int]
    best_test_accuracy: float | None = Field(
        description="Highest of its runs' latest epochs; no run's epoch is picked on the test set."
    )
    created_at: datetime


class LookOut(BaseModel):
    """One look at the results."""

    num_seeds: int
    level: float = Field(description="Level that everything the answer asserts is judged at.")
    is_planned: bool = Field(description="Whether it was planned before the looks that it follows.")


class TunedPointOut(BaseModel):
    """One configuration at one learning rate."""

    label: str
    learning_rate: float
    accuracies: list[float] = Field(description="On held-out training images, by seed, after the last epoch.")
    is_chosen: bool


class TuningOut(BaseModel):
    """Where the learning rates come from."""

    experiment_id: int = Field(description="The experiment that tries them.")
    learning_rates: list[float]
    num_seeds: int
    epochs: int
    points: list[TunedPointOut] = Field(description="Empty until they are chosen; the runs wait for that.")


class ExperimentOut(ExperimentSummary):
    """An experiment with its runs."""

    runs: list[RunOut]
    is_settling: bool = Field(description="True while seeds are added, look by look, until it is settled.")
    looks: list[LookOut] = Field(
        description="All looks, planned ones still to come included; empty if no seeds were added."
    )
    tuning: TuningOut | None = Field(description="null if the request gave the learning rates.")
    warnings: list[str] = Field(
        description="What keeps its figures from saying more, and what the service still does by itself."
    )


class EpochOut(BaseModel):
    """The metrics of one epoch of one run; accuracies 0–1, losses in nats."""

    run_id: int
    epoch: int
    learning_rate: float
    seconds: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    test_loss: float
    test_accuracy: float


class ExperimentPage(BaseModel):
    """Experiments, newest first; ``next_cursor`` leads to the older ones."""

    experiments: list[ExperimentSummary]
    next_cursor: int | None


RECIPE_FIELDS = (
    "batch_size",
    "learning_rate",
    "momentum",
    "schedule",
    "schedule_metric",
    "rotation_degrees",
    "translation_pixels",
    "scaling_percent",
    "interpolation",
    "validation_size",
)


METRIC_FIELDS = ("train_accuracy", "validation_accuracy", "test_accuracy", "train_loss", "test_loss")


def view_run(run: RunRecord) -> RunOut:
    """Make the answer for a run."""
    known = {**run.config.to_json(), **vars(run)}
    return RunOut(
        **{name: known[name] for name in RunOut.model_fields if name in known},
        **{name: getattr(run.last_metric, name, None) for name in METRIC_FIELDS},
        penalty=run.config.penalty,
        recipe={name: known[name] for name in RECIPE_FIELDS},
    )


def view_epoch(metric: EpochMetric) -> EpochOut:
    """Make the answer for an epoch."""
    return EpochOut.model_validate(metric, from_attributes=True)


def view_summary(experiment: ListedExperiment) -> ExperimentSummary:
    """Make the answer for an experiment in a list."""
    return ExperimentSummary(num_runs=sum(experiment.num_runs_by_status.values()), **vars(experiment))


def view_experiment(experiment: ExperimentRecord) -> ExperimentOut:
    """Make the answer for an experiment with its runs."""
    accuracies = [run.last_metric.test_accuracy for run in experiment.runs if run.last_metric]
    return ExperimentOut(
        id=experiment.id,
        name=experiment.name,
        status=experiment.status,
        dataset=experiment.dataset,
        preset=experiment.preset,
        priority=experiment.priority,
        progress=experiment.progress,
        stalled=experiment.stalled,
        num_runs=len(experiment.runs),
        num_runs_by_status=dict(Counter(run.status for run in experiment.runs)),
        best_test_accuracy=max(accuracies, default=None),
        created_at=experiment.created_at,
        runs=[view_run(run) for run in experiment.runs],
        is_settling=experiment.is_settling,
        looks=[LookOut(**asdict(look)) for look in experiment.looks],
        tuning=None if experiment.tuning is None else TuningOut(**experiment.tuning.to_json()),
        warnings=[
            *find_warnings([run.config for run in experiment.runs], is_tuned=experiment.is_tuned),
            *_list_expected(experiment),
        ],
    )


def _list_expected(experiment: ExperimentRecord) -> list[str]:
    """List what the service will do to the experiment by itself, in sentences."""
    expected = []
    if (tuning := experiment.tuning) is not None and not tuning.points:
        expected.append(
            f"Its runs wait for their learning rates, which experiment {tuning.experiment_id} tries."
        )
    if experiment.is_settling:
        counts = [str(look.num_seeds) for look in experiment.looks if look.num_seeds > experiment.num_seeds]
        more = f"; further looks are planned with {join_words(counts)} seeds" if counts else ""
        expected.append(f"Seeds are added until every pair is settled{more}.")
    return expected
