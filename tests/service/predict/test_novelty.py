"""Novelty of letters, noise and turned digits to a network of the best recipe."""

from pathlib import Path

import numpy as np
import pytest

from lab.datasets.load import load_dataset
from service.predict.novelty import NoveltyDetector, NoveltyDetectors, fit_detector
from service.predict.predictor import load_network
from service.test_images import TestImages
from tests.pictures.reader import WEIGHTS, list_runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def detector(mnist_dir: Path) -> NoveltyDetector:
    test = load_dataset("mnist", data_dir=mnist_dir).test
    network = load_network(list_runs()[0].config, WEIGHTS.read_bytes())
    return fit_detector(network, test.images[:3000].numpy(), test.labels[:3000].numpy())


def test_images_it_was_not_fitted_to_are_familiar(detector: NoveltyDetector, mnist_dir: Path) -> None:
    images = load_dataset("mnist", data_dir=mnist_dir).test.images[3000:5000].numpy()

    assert (detector.measure(images) > 1).mean() < 0.05


def test_digits_on_their_side_and_noise_are_novel(detector: NoveltyDetector, mnist_dir: Path) -> None:
    images = load_dataset("mnist", data_dir=mnist_dir).test.images[3000:3300].numpy()
    noise = np.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=np.uint8)

    assert (detector.measure(np.ascontiguousarray(np.rot90(images, axes=(1, 2)))) > 1).mean() > 0.7
    assert (detector.measure(noise) > 1).all()


def test_without_the_data_set_there_is_no_detector(tmp_path: Path) -> None:
    run = list_runs()[0]
    network = load_network(run.config, WEIGHTS.read_bytes())

    assert NoveltyDetectors(TestImages(tmp_path)).find(run.id, dataset="mnist", network=network) is None
