"""Confusion matrices of several seeds, worked by hand."""

import numpy as np
import pytest

from service.mistakes.confusion import count_confusions, find_most_confused
from service.mistakes.schemas import ConfusedPair


def test_adds_up_all_runs_rows_true_columns_answered() -> None:
    labels = np.array([0, 0, 1, 9])
    predicted = np.array([[0, 1, 1, 9], [0, 1, 1, 4]], dtype=np.uint8)

    matrix = count_confusions(labels, predicted)

    expected = np.zeros((10, 10), dtype=int)
    expected[0, 0], expected[0, 1], expected[1, 1], expected[9, 9], expected[9, 4] = 2, 2, 2, 1, 1
    assert np.array_equal(matrix, expected)
    assert find_most_confused(matrix) == [
        ConfusedPair(true=0, predicted=1, count=2),
        ConfusedPair(true=9, predicted=4, count=1),
    ]


@pytest.mark.parametrize("count", [0, 5])
def test_right_answers_are_not_confusions(count: int) -> None:
    assert find_most_confused(np.eye(10, dtype=int) * count) == []
