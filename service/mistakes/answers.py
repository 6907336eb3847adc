"""Predictions of an experiment's completed runs for every test image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.errors import RunNotFinishedError
from lab.runs.predictions import LogProbabilities, read_log_probabilities, stream_log_probabilities
from lab.runs.records import ExperimentRecord, RunRecord
from service.mistakes.schemas import Misclassification
from service.test_images import TestImages


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Predictions of R runs for N test images.

    ``images`` (N, 28, 28) uint8 and ``labels`` (N,) are the test set; ``predicted`` (R, N) uint8 is the class
    that each run predicts, and ``confidence`` (R, N) float32 the probability of that class.
    """

    runs: tuple[RunRecord, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    predicted: NDArray[np.uint8]
    confidence: NDArray[np.float32]

    @property
    def is_missed(self) -> NDArray[np.bool_]:
        """True where a run misclassifies an image, (R, N)."""
        return np.not_equal(self.predicted, self.labels)

    def rank_misclassified(self, row: int) -> list[Misclassification]:
        """List the images that the run at ``row`` misclassifies, most confident first."""
        predicted, confidence = self.predicted[row], self.confidence[row]
        indices = np.flatnonzero(predicted != self.labels)
        order = np.argsort(-confidence[indices], kind="stable")
        return [
            Misclassification(
                index=int(index),
                true=int(self.labels[index]),
                predicted=int(predicted[index]),
                confidence=float(confidence[index]),
            )
            for index in indices[order]
        ]


def read_answers(session: Session, test_images: TestImages, experiment: ExperimentRecord) -> Answers:
    """Read the predictions of the experiment's completed runs, in its order; there may be none.

    Raises:
        DatasetUnavailableError: the test images cannot be read.
    """
    images, labels = test_images.read(experiment.dataset)
    runs = tuple(run for run in experiment.runs if run.is_completed)
    row_of_run = {run.id: row for row, run in enumerate(runs)}
    predicted = np.zeros((len(runs), len(labels)), dtype=np.uint8)
    confidence = np.zeros((len(runs), len(labels)), dtype=np.float32)
    for run_id, log_probabilities in stream_log_probabilities(session, list(row_of_run)):
        row = row_of_run[run_id]
        predicted[row], confidence[row] = _pick_classes(log_probabilities)
    return Answers(runs=runs, images=images, labels=labels, predicted=predicted, confidence=confidence)


def read_run_answers(session: Session, test_images: TestImages, run: RunRecord) -> Answers:
    """Read the predictions of one run.

    Raises:
        RunNotFinishedError: it has not completed.
    """
    predicted, confidence = _pick_classes(read_log_probabilities(session, run))
    images, labels = test_images.read(run.config.dataset)
    return Answers(
        runs=(run,), images=images, labels=labels, predicted=predicted[None], confidence=confidence[None]
    )


def require_runs(answers: Answers, experiment: ExperimentRecord) -> Answers:
    """Return the answers if there are any.

    Raises:
        RunNotFinishedError: no run has completed.
    """
    if not answers.runs:
        raise RunNotFinishedError(
            f"No run of experiment {experiment.id} has completed yet, so no image is misclassified; the "
            f"experiment is {experiment.status}."
        )
    return answers


def _pick_classes(log_probabilities: LogProbabilities) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the most likely class of each of N images (N, 10), and its probability."""
    predicted = log_probabilities.argmax(axis=1).astype(np.uint8)
    return predicted, np.exp(log_probabilities.max(axis=1))
