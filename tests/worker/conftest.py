"""Data small enough to train on in a blink."""

import pytest

from lab.datasets import Dataset, ImageSet


@pytest.fixture(scope="session")
def tiny(digits: Dataset) -> Dataset:
    """The first 96 training and 40 test images of the digits."""
    return Dataset(
        info=digits.info,
        train=ImageSet(digits.train.images[:96], digits.train.labels[:96]),
        test=ImageSet(digits.test.images[:40], digits.test.labels[:40]),
    )
