"""Tell pictures unlike anything a network has seen: letters, scribbles, noise, digits on their side.

A network is as sure of a letter as of a digit. Its inner activations tell them apart: they lie far from those
of every class of digits. Source: Lee, Lee, Lee & Shin (2018), A simple unified framework for detecting
out-of-distribution samples, NeurIPS; here with the means and deviations of each channel.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from fastapi import Depends, Request
from numpy.typing import NDArray
from torch import nn

from lab.datasets.load import DATASETS
from lab.datasets.pixels import normalize_pixels
from service.predict.predictor import scale_pixels
from service.test_images import TestImages

# Test images that the distances are measured from, and others that set the limit.
NUM_FITTED, NUM_HELD_OUT = 2000, 1000
SHRINKAGE = 0.05
# Of the held-out images, the part that lies within the limit. Drawings and photos of digits lie nearer.
FAMILIAR_PERCENTILE = 98.0
# A detector takes 300 KB.
MAX_CACHED_DETECTORS = 64

Features = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class NoveltyDetector:
    """Distances from the classes that a network knows, in the space of its activations."""

    network: nn.Sequential
    mean: Features
    scale: Features
    class_means: Features
    precision: Features
    limit: float

    def measure(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Novelty of pictures (N, 28, 28): above 1 they are unlike the training images.

        The squared Mahalanobis distance from the nearest class, in parts of the limit.
        """
        return self._measure_distance(compute_features(self.network, pixels)) / self.limit

    def _measure_distance(self, features: Features) -> Features:
        offsets = ((features - self.mean) / self.scale)[:, None] - self.class_means
        distances: Features = np.einsum("nci,ij,ncj->nc", offsets, self.precision, offsets, optimize=True)
        nearest: Features = distances.min(axis=1)
        return nearest


def fit_detector(
    network: nn.Sequential, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> NoveltyDetector:
    """Fit a detector to images (N, 28, 28) with ``labels`` (N,); a third is held out for the limit."""
    num_fitted = 2 * len(images) // 3
    features = compute_features(network, images)
    fitted, fitted_labels = features[:num_fitted], labels[:num_fitted]
    mean, scale = fitted.mean(axis=0), fitted.std(axis=0) + 1e-6
    fitted = (fitted - mean) / scale
    classes = np.unique(fitted_labels)
    class_means = np.stack([fitted[fitted_labels == one].mean(axis=0) for one in classes])
    rest = fitted - class_means[np.searchsorted(classes, fitted_labels)]
    covariance = rest.T @ rest / len(rest)
    size = len(covariance)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)
    detector = NoveltyDetector(
        network=network,
        mean=mean,
        scale=scale,
        class_means=class_means,
        precision=np.linalg.inv(shrunk),
        limit=1.0,
    )
    distances = detector._measure_distance(features[num_fitted:])
    limit = float(np.percentile(distances, FAMILIAR_PERCENTILE))
    return replace(detector, limit=limit)


def compute_features(network: nn.Sequential, pixels: NDArray[np.uint8]) -> Features:
    """The mean and standard deviation of each channel after each ReLU, (N, 2 × channels)."""
    parts = []
    with torch.inference_mode():
        for batch in scale_pixels(pixels).split(500):
            activations, statistics = normalize_pixels(batch), []
            for layer in network:
                activations = layer(activations)
                if isinstance(layer, nn.ReLU):
                    spread, mean = torch.std_mean(activations, dim=(2, 3))
                    statistics += [mean, spread]
            parts.append(torch.cat(statistics, dim=1).double().numpy())
    return np.concatenate(parts)


class NoveltyDetectors:
    """Detectors of the runs used most recently, fitted on first use; safe to share between threads."""

    def __init__(self, test_images: TestImages) -> None:
        self._test_images = test_images
        self._detectors: OrderedDict[int, NoveltyDetector] = OrderedDict()
        self._fitting = threading.Lock()

    def find(self, run_id: int, *, dataset: str, network: nn.Sequential) -> NoveltyDetector | None:
        """The detector of a run on digits; None where its data set is absent or has too few test images.

        Fitted to the 360 test images of the embedded digits, it would call half of all other hands novel.
        """
        with self._fitting:
            if run_id not in self._detectors:
                count = NUM_FITTED + NUM_HELD_OUT
                info = DATASETS[dataset]
                is_enough = info.shows_digits and info.test_size >= count
                if not is_enough or not self._test_images.is_present(dataset):
                    return None
                images, labels = self._test_images.read(dataset)
                self._detectors[run_id] = fit_detector(network, images[:count], labels[:count])
            self._detectors.move_to_end(run_id)
            if len(self._detectors) > MAX_CACHED_DETECTORS:
                self._detectors.popitem(last=False)
            return self._detectors[run_id]


def get_novelty_detectors(request: Request) -> NoveltyDetectors:
    """Get the app's novelty detectors."""
    detectors: NoveltyDetectors = request.app.state.novelty_detectors
    return detectors


NoveltyDetectorsDep = Annotated[NoveltyDetectors, Depends(get_novelty_detectors)]
