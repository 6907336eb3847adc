"""How often only one of two configurations reads a test image right."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.runs.predictions import read_log_probabilities
from lab.runs.records import RunRecord
from service.mistakes.test_images import TestImages


def read_correctness(session: Session, test_images: TestImages, run: RunRecord) -> NDArray[np.bool_]:
    """Which test images the trained network reads right, (N,).

    Raises:
        RunNotFinishedError: the run has not completed.
        DatasetUnavailableError: the true classes are not at hand.
    """
    _, labels = test_images.read(run.config.dataset)
    is_correct: NDArray[np.bool_] = read_log_probabilities(session, run).argmax(axis=1) == labels
    return is_correct


def count_only_correct(
    session: Session, test_images: TestImages, runs: Sequence[RunRecord], *, labels: Sequence[str]
) -> NDArray[np.int64]:
    """``counts[i, j]``: images that configuration i reads right and j wrong, over all seeds both completed.

    Each run's answers are read once, and of one seed's runs at a time no more is kept than a bit an image.

    Raises:
        DatasetUnavailableError: the true classes are not at hand.
    """
    rows = {label: row for row, label in enumerate(labels)}
    by_seed: dict[int, list[RunRecord]] = defaultdict(list)
    for run in runs:
        if run.is_completed:
            by_seed[run.config.seed].append(run)
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for of_seed in by_seed.values():
        is_correct = np.stack([read_correctness(session, test_images, run) for run in of_seed])
        # A sum of at most N ones is exact in float32, whose matrix product is the fast one.
        only_first = is_correct.astype(np.float32) @ (~is_correct).astype(np.float32).T
        places = [rows[run.config.label] for run in of_seed]
        counts[np.ix_(places, places)] += only_first.astype(np.int64)
    return counts
