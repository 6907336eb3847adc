"""The test pictures that finished runs were measured on, for sheets and labels."""

import threading
from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import Depends, Request
from numpy.typing import NDArray

from lab.datasets.load import DATASETS, ImageSet, is_present, load_dataset


class TestImages:
    """Test images of each data set, loaded once; safe to share between threads."""

    __test__ = False  # for pytest, which collects classes by this prefix

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._sets: dict[str, ImageSet] = {}
        self._loading = threading.Lock()

    def read(self, dataset: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Pictures (N, 28, 28) uint8 and their classes (N,).

        Raises:
            DatasetUnavailableError: the files are not there and cannot be downloaded.
        """
        with self._loading:
            if dataset not in self._sets:
                self._sets[dataset] = load_dataset(dataset, data_dir=self._data_dir).test
        test_set = self._sets[dataset]
        return test_set.images.numpy(), test_set.labels.numpy()

    def is_present(self, dataset: str) -> bool:
        """Return whether the data set can be read without a download."""
        return is_present(DATASETS[dataset], data_dir=self._data_dir)


def get_test_images(request: Request) -> TestImages:
    """Get the app's test images."""
    test_images: TestImages = request.app.state.test_images
    return test_images


TestImagesDep = Annotated[TestImages, Depends(get_test_images)]
