"""Answers of the routes on misclassified images and confusion.

Plain dataclasses: an answer of 180 runs has megabytes, which pydantic models would validate twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Misclassification:
    """One misclassified test image; ``confidence`` is the probability of ``predicted``."""

    index: int
    true: int
    predicted: int
    confidence: float


@dataclass(frozen=True, kw_only=True)
class RunMisclassified:
    """The images that one run misclassifies, most confident first."""

    run_id: int
    label: str
    normalization: str
    seed: int
    num_test: int
    num_misclassified: int
    class_names: Sequence[str]
    misclassified: list[Misclassification]


@dataclass(frozen=True, kw_only=True)
class WrongPrediction:
    """A run's wrong prediction for an image."""

    run_id: int
    label: str
    normalization: str
    seed: int
    predicted: int
    confidence: float


@dataclass(frozen=True, kw_only=True)
class MisclassifiedImage:
    """An image, a ``data:`` URL of a PNG, with the runs that misclassify it."""

    index: int
    true: int
    num_missed: int
    image: str
    answers: list[WrongPrediction]


@dataclass(frozen=True, kw_only=True)
class MisclassifiedByOne:
    """Images that one normalization alone misclassifies: with all of its runs, or with most of them."""

    normalization: str
    num_runs: int
    by_all: list[int]
    by_most: list[int]


@dataclass(frozen=True, kw_only=True)
class MisclassifiedOut:
    """Misclassified images across the completed runs, and run by run.

    ``agreement[k]`` is the number of images that exactly k runs misclassify.
    """

    experiment_id: int
    dataset: str
    class_names: Sequence[str]
    num_runs: int
    num_test: int
    agreement: list[int]
    missed_by_every_run: list[int]
    missed_only_by: list[MisclassifiedByOne]
    num_images: int
    next_offset: int | None
    images: list[MisclassifiedImage]
    runs: list[RunMisclassified]
    unfinished_run_ids: list[int]


@dataclass(frozen=True, kw_only=True)
class ImagePrediction:
    """A run's prediction for one image, with its ten probabilities."""

    run_id: int
    label: str
    normalization: str
    seed: int
    predicted: int
    confidence: float
    probabilities: list[float]


@dataclass(frozen=True, kw_only=True)
class ImageOut:
    """One test image, a ``data:`` URL of a PNG, and every completed run's prediction."""

    experiment_id: int
    dataset: str
    class_names: Sequence[str]
    index: int
    true: int
    image: str
    runs: list[ImagePrediction]


@dataclass(frozen=True, kw_only=True)
class ConfusedPair:
    """The number of images of class ``true`` that are predicted as ``predicted``."""

    true: int
    predicted: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """A confusion matrix: ``matrix[t][p]`` counts predictions p for images of class t.

    ``recall`` and ``precision`` are by class, None for a class that never occurs.
    """

    matrix: list[list[int]]
    num_answers: int
    num_misclassified: int
    recall: list[float | None]
    precision: list[float | None]
    most_confused: list[ConfusedPair]


@dataclass(frozen=True, kw_only=True)
class RunConfusion(Confusion):
    """The confusion matrix of one run."""

    run_id: int
    experiment_id: int
    label: str
    normalization: str
    seed: int
    class_names: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class ConfigurationConfusion(Confusion):
    """The confusion matrix of one configuration, summed over its completed seeds."""

    label: str
    normalization: str
    penalty: str
    seeds: list[int]
    run_ids: list[int]


@dataclass(frozen=True, kw_only=True)
class ConfusionOut:
    """The confusion matrices of an experiment's configurations."""

    experiment_id: int
    dataset: str
    class_names: Sequence[str]
    configurations: list[ConfigurationConfusion]
    unfinished_run_ids: list[int]
