"""Count the test images that only one of two configurations classifies correctly."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.runs.predictions import stream_log_probabilities
from lab.runs.records import ExperimentRecord
from lab.statistics.paired import find_mcnemar_p
from service.comparison.schemas import DisagreementOut
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


@dataclass(frozen=True, kw_only=True)
class Disagreements:
    """Images that only one of two configurations classifies correctly, seed by seed.

    ``counts[s, i, j]``: those that configuration i has right and j has not, with ``seeds[s]``;
    ``has_both[s, i, j]``: whether both have completed it.
    """

    seeds: list[int]
    counts: NDArray[np.int64]
    has_both: NDArray[np.bool_]

    def view(self, i: int, j: int) -> list[DisagreementOut]:
        """The counts of a pair, for each seed that both have completed."""
        places = np.flatnonzero(self.has_both[:, i, j])
        only_a, only_b = self.counts[places, i, j], self.counts[places, j, i]
        return [
            DisagreementOut(
                seed=self.seeds[place], only_a_correct=int(a), only_b_correct=int(b), p_value=float(p)
            )
            for place, a, b, p in zip(places, only_a, only_b, find_mcnemar_p(only_a, only_b), strict=True)
        ]


def count_only_correct(
    experiment: ExperimentRecord, is_correct: Mapping[int, NDArray[np.bool_]]
) -> Disagreements:
    """Count the images that only one of two configurations classifies correctly, seed by seed."""
    rows = {configuration.label: row for row, configuration in enumerate(experiment.configurations)}
    run_ids_by_seed: dict[int, dict[int, int]] = defaultdict(dict)
    for run in experiment.runs:
        if run.id in is_correct:
            run_ids_by_seed[run.config.seed][rows[run.config.label]] = run.id
    seeds = sorted(run_ids_by_seed)
    counts = np.zeros((len(seeds), len(rows), len(rows)), dtype=np.int64)
    has_both = np.zeros(counts.shape, dtype=np.bool_)
    for place, seed in enumerate(seeds):
        run_ids = run_ids_by_seed[seed]
        correct = np.stack([is_correct[run_id] for run_id in run_ids.values()])
        # A sum of at most N ones is exact in float32, whose matrix product is the fast one.
        only_first = correct.astype(np.float32) @ (~correct).astype(np.float32).T
        chosen = np.ix_([place], list(run_ids), list(run_ids))
        counts[chosen], has_both[chosen] = only_first.astype(np.int64), True
    return Disagreements(seeds=seeds, counts=counts, has_both=has_both)
