"""Drawn digits made as coarse as the embedded ones."""

import numpy as np
import torch
from numpy.typing import NDArray

from lab.datasets.coarse_digits import coarsen, enlarge
from lab.datasets.load import Dataset


def draw_bar(*, rows: slice, columns: slice) -> NDArray[np.uint8]:
    pixels = np.zeros((28, 28), dtype=np.uint8)
    pixels[rows, columns] = 255
    return pixels


class TestEnlarge:
    def test_puts_twenty_pixels_a_side_in_the_middle(self) -> None:
        pictures = enlarge(torch.full((2, 8, 8), 255.0))

        assert (pictures.shape, pictures.dtype) == ((2, 28, 28), torch.uint8)
        assert pictures[:, 4:24, 4:24].eq(255).all()
        assert int(pictures.sum()) == 2 * 20 * 20 * 255


class TestCoarsen:
    def test_fills_the_height_as_the_embedded_digits_do(self, digits: Dataset) -> None:
        coarse = coarsen(draw_bar(rows=slice(9, 19), columns=slice(13, 15)))

        tops = [int(picture.flatten(1).any(1).nonzero()[0]) for picture in digits.test.images[:50]]
        assert np.flatnonzero(coarse.any(axis=1))[0] in tops
        assert np.flatnonzero(coarse.any(axis=1))[-1] == 23

    def test_leaves_a_wide_digit_its_shape(self) -> None:
        coarse = coarsen(draw_bar(rows=slice(12, 16), columns=slice(4, 24)))

        rows, columns = np.nonzero(coarse)
        assert np.ptp(columns) + 1 == 20
        assert np.ptp(rows) + 1 < 10
        assert abs(rows.mean() - 13.5) < 1

    def test_changes_the_embedded_digits_little(self, digits: Dataset) -> None:
        pictures = digits.test.images[:50].numpy()

        changes = [np.abs(coarsen(picture).astype(float) - picture).mean() for picture in pictures]

        blank = np.abs(pictures.astype(float)).mean()
        assert np.mean(changes) < 0.5 * blank

    def test_reads_a_single_pixel(self) -> None:
        assert coarsen(draw_bar(rows=slice(3, 4), columns=slice(5, 6))).any()
