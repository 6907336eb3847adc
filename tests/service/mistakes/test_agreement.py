"""Which images several runs miss together: worked by hand on six images and four runs."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lab.runs.records import RunRecord
from service.mistakes.agreement import (
    count_agreement,
    find_missed_by_every_run,
    find_missed_only,
    select_missed,
)
from service.mistakes.answers import Answers

LABELS = np.array([0, 1, 2, 3, 4, 5])
NORMALIZATIONS = ("batch", "batch", "batch", "group")
# Image 0: nobody wrong. 1: every run. 2: all of batch. 3: two of three of batch. 4: group. 5: one of each.
PREDICTED = np.array(
    [
        [0, 7, 3, 8, 4, 6],
        [0, 7, 3, 8, 4, 5],
        [0, 7, 8, 3, 4, 5],
        [0, 9, 2, 3, 9, 6],
    ],
    dtype=np.uint8,
)
IS_MISSED = PREDICTED != LABELS


def make_run(number: int, normalization: str) -> Any:
    config = SimpleNamespace(normalization=normalization, label=normalization, seed=number)
    return SimpleNamespace(id=number, config=config)


@pytest.fixture
def answers() -> Answers:
    runs: tuple[RunRecord, ...] = tuple(make_run(n, name) for n, name in enumerate(NORMALIZATIONS, 1))
    confidence = np.full(PREDICTED.shape, 0.5, dtype=np.float32)
    confidence[3, 4] = 0.9  # the surest of the images that one run misses
    images = np.zeros((6, 28, 28), dtype=np.uint8)
    return Answers(runs=runs, images=images, labels=LABELS, predicted=PREDICTED, confidence=confidence)


def test_counts_images_by_how_many_runs_miss_them() -> None:
    assert count_agreement(IS_MISSED).tolist() == [1, 1, 2, 1, 1]
    assert count_agreement(IS_MISSED[:0]).tolist() == [6]


def test_finds_what_every_run_misses() -> None:
    assert find_missed_by_every_run(IS_MISSED).tolist() == [1]
    assert find_missed_by_every_run(IS_MISSED[:0]).tolist() == []


def test_finds_what_one_normalization_alone_misses() -> None:
    batch, group = find_missed_only(IS_MISSED, NORMALIZATIONS)

    assert (batch.normalization, batch.num_runs) == ("batch", 3)
    assert batch.by_all.tolist() == [2]
    assert batch.by_most.tolist() == [2, 3]
    assert (group.normalization, group.by_all.tolist(), group.by_most.tolist()) == ("group", [4], [4])


def test_half_of_the_runs_are_not_most_of_them() -> None:
    (batch, _) = find_missed_only(IS_MISSED[1:], NORMALIZATIONS[1:])

    assert batch.by_most.tolist() == [2]


def test_no_normalization_is_alone_without_another() -> None:
    (batch,) = find_missed_only(IS_MISSED[:3], NORMALIZATIONS[:3])

    assert batch.by_all.tolist() == batch.by_most.tolist() == []


def test_orders_by_how_many_miss_then_by_how_surely(answers: Answers) -> None:
    # Images 3 and 5 are misclassified by two runs each with equal confidence: by index.
    assert select_missed(answers).tolist() == [1, 2, 3, 5, 4]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"true": 3}, [3]),
        ({"true": 0}, []),
        ({"predicted": 7}, [1]),
        # Image 2 is classified correctly by group.
        ({"predicted": 2}, []),
        ({"predicted": 8}, [2, 3]),
        ({"predicted": 8, "true": 2}, [2]),
        ({"missed_by": "every"}, [1]),
        ({"missed_by": "batch"}, [2, 3]),
        ({"missed_by": "group"}, [4]),
        ({"missed_by": "layer"}, []),
        ({"missed_by": "batch", "predicted": 3}, [2]),
    ],
)
def test_filters(answers: Answers, filters: dict[str, Any], expected: list[int]) -> None:
    assert select_missed(answers, **filters).tolist() == expected
