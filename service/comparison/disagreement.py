"""Count the test images that only one of two configurations classifies correctly."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.runs.predictions import stream_log_probabilities
from lab.runs.records import ExperimentRecord
from service.test_images import TestImages


def read_correctness(
    session: Session, test_images: TestImages, experiment: ExperimentRecord
) -> dict[int, NDArray[np.bool_]]:
    """Read, by run id, which test images (N,) each completed run classifies correctly.

    Raises:
        DatasetUnavailableError: the true classes cannot be read.
    """
    _, labels = test_images.read(experiment.dataset)
    run_ids = [run.id for run in experiment.runs if run.is_completed]
    return {
        run_id: log_probabilities.argmax(axis=1) == labels
        for run_id, log_probabilities in stream_log_probabilities(session, run_ids)
    }


def count_only_correct(
    experiment: ExperimentRecord, is_correct: Mapping[int, NDArray[np.bool_]]
) -> NDArray[np.int64]:
    """Count in ``counts[i, j]`` the images that configuration i classifies correctly and j does not.

    Summed over the seeds that both have completed.
    """
    rows = {configuration.label: row for row, configuration in enumerate(experiment.configurations)}
    run_ids_by_seed: dict[int, dict[int, int]] = defaultdict(dict)
    for run in experiment.runs:
        if run.id in is_correct:
            run_ids_by_seed[run.config.seed][rows[run.config.label]] = run.id
    counts = np.zeros((len(rows), len(rows)), dtype=np.int64)
    for run_ids in run_ids_by_seed.values():
        correct = np.stack([is_correct[run_id] for run_id in run_ids.values()])
        # A sum of at most N ones is exact in float32, whose matrix product is the fast one.
        only_first = correct.astype(np.float32) @ (~correct).astype(np.float32).T
        counts[np.ix_(list(run_ids), list(run_ids))] += only_first.astype(np.int64)
    return counts
