"""What an experiment's completed runs said of every test image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.errors import RunNotFinishedError
from lab.runs.predictions import read_log_probabilities, stream_log_probabilities
from lab.runs.records import ExperimentRecord, RunRecord
from service.mistakes.ranking import pick_classes
from service.mistakes.test_images import TestImages


@dataclass(frozen=True, kw_only=True)
class Answers:
    """R runs' answers to N test images.

    ``images`` (N, 28, 28) uint8 and ``labels`` (N,) are the test set; ``predicted`` (R, N) uint8 the class
    each run took each image for, and ``confidence`` (R, N) float32 the probability it gave that class.
    """

    runs: tuple[RunRecord, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    predicted: NDArray[np.uint8]
    confidence: NDArray[np.float32]

    @property
    def is_missed(self) -> NDArray[np.bool_]:
        """Whether each run takes each image for something else, (R, N)."""
        return np.not_equal(self.predicted, self.labels)


def read_answers(session: Session, test_images: TestImages, experiment: ExperimentRecord) -> Answers:
    """The answers of the experiment's completed runs, in the experiment's order; there may be none."""
    images, labels = test_images.read(experiment.dataset)
    runs = tuple(run for run in experiment.runs if run.is_completed)
    row_of_run = {run.id: row for row, run in enumerate(runs)}
    predicted = np.zeros((len(runs), len(labels)), dtype=np.uint8)
    confidence = np.zeros((len(runs), len(labels)), dtype=np.float32)
    for run_id, log_probabilities in stream_log_probabilities(session, list(row_of_run)):
        row = row_of_run[run_id]
        predicted[row], confidence[row] = pick_classes(log_probabilities)
    return Answers(runs=runs, images=images, labels=labels, predicted=predicted, confidence=confidence)


def read_run_answers(session: Session, test_images: TestImages, run: RunRecord) -> Answers:
    """The answers of one run.

    Raises:
        RunNotFinishedError: it has not completed.
    """
    predicted, confidence = pick_classes(read_log_probabilities(session, run))
    images, labels = test_images.read(run.config.dataset)
    return Answers(
        runs=(run,), images=images, labels=labels, predicted=predicted[None], confidence=confidence[None]
    )


def require_runs(answers: Answers, experiment: ExperimentRecord) -> Answers:
    """The answers, of which there must be some.

    Raises:
        RunNotFinishedError: no run has completed.
    """
    if not answers.runs:
        raise RunNotFinishedError(
            f"No run of experiment {experiment.id} is completed yet, so nothing is misclassified; it is "
            f"{experiment.status}."
        )
    return answers
