"""Compare two configurations image by image: images that only one classifies correctly, and other images."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.runs.predictions import stream_log_probabilities
from lab.runs.records import ExperimentRecord
from lab.statistics.images import find_crossed_interval
from lab.statistics.paired import find_mcnemar_p
from service.comparison.schemas import DisagreementOut
from service.test_images import TestImages

CorrectBySeed = Mapping[int, NDArray[np.bool_]]
"""Test images (N,) that a configuration classifies correctly, by seed."""


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


def arrange_correctness(
    experiment: ExperimentRecord, is_correct: Mapping[int, NDArray[np.bool_]]
) -> list[CorrectBySeed]:
    """Arrange the runs' correct images, given by run id, by configuration and seed."""
    return [
        {run.config.seed: is_correct[run.id] for run in configuration.runs if run.id in is_correct}
        for configuration in experiment.configurations
    ]


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """Two configurations compared image by image, with each seed that both have completed.

    ``interval`` is that of their difference for other seeds and other test images, None below two seeds.
    """

    by_seed: list[DisagreementOut]
    num_images: int
    interval: tuple[float, float] | None


def compare_images(first: CorrectBySeed, second: CorrectBySeed) -> Disagreement | None:
    """Compare two configurations' correct images; None without a seed that both have completed."""
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    # As bytes, right minus right is 1, 0 or −1: (seeds, N).
    right, other_right = (np.stack([side[seed] for seed in seeds]).view(np.int8) for side in (first, second))
    differences = right - other_right
    lead, num_unlike = differences.sum(axis=1, dtype=np.int64), np.count_nonzero(differences, axis=1)
    only_first, only_second = (num_unlike + lead) // 2, (num_unlike - lead) // 2
    p_values = find_mcnemar_p(only_first, only_second)
    return Disagreement(
        by_seed=[
            DisagreementOut(seed=seed, only_a_correct=int(a), only_b_correct=int(b), p_value=float(p))
            for seed, a, b, p in zip(seeds, only_first, only_second, p_values, strict=True)
        ],
        num_images=differences.shape[1],
        interval=find_crossed_interval(differences),
    )
