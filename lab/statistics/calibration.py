"""Calibration: how far a network's confidence is from its accuracy, and the temperature that mends it.

Source: Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern neural networks, ICML.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

NUM_BINS = 15
# With every image right, the likelihood would push the temperature to 0, and every confidence to 1.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 10.0


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A run's calibration on the test images: errors are expected calibration errors, 0–1.

    ``temperature`` is fitted to all images. ``calibrated_error`` is that of probabilities whose temperature
    was fitted to the other half of the images, so that it does not flatter.
    """

    temperature: float
    error: float
    calibrated_error: float


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Predictions of similar confidence: how many, their mean confidence and their accuracy."""

    count: int
    confidence: float
    accuracy: float


def calibrate(log_probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities (N, 10) of log-probabilities (N, 10), divided by ``temperature`` and normalized again."""
    probabilities: NDArray[np.float32] = np.exp(log_softmax(log_probabilities / temperature, axis=1))
    return probabilities


def measure_calibration(log_probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> Calibration:
    """Measure the calibration of log-probabilities (N, 10) for images of these ``labels`` (N,)."""
    halves = (slice(0, None, 2), slice(1, None, 2))
    calibrated = np.exp(log_probabilities)
    for fitted, other in (halves, halves[::-1]):
        temperature = fit_temperature(log_probabilities[fitted], labels[fitted])
        calibrated[other] = calibrate(log_probabilities[other], temperature)
    return Calibration(
        temperature=fit_temperature(log_probabilities, labels),
        error=compute_calibration_error(np.exp(log_probabilities), labels),
        calibrated_error=compute_calibration_error(calibrated, labels),
    )


def fit_temperature(log_probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature of the greatest likelihood, between ``MIN_TEMPERATURE`` and ``MAX_TEMPERATURE``."""
    exact = log_probabilities.astype(np.float64)

    def measure_loss(log_temperature: float) -> float:
        scaled = log_softmax(exact / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(labels)), labels].mean())

    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    return float(np.exp(minimize_scalar(measure_loss, bounds=bounds, method="bounded").x))


def compute_calibration_error(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The expected calibration error: |accuracy − confidence| of each bin, weighted by its images (eq. 3)."""
    bins = bin_by_confidence(probabilities, labels)
    return sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / max(len(labels), 1)


def bin_by_confidence(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, num_bins: int = NUM_BINS
) -> list[ReliabilityBin]:
    """Group predictions by confidence, in bins of equal width; empty ones are left out."""
    confidences = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    places = np.clip(np.ceil(confidences * num_bins).astype(int) - 1, 0, num_bins - 1)
    return [
        ReliabilityBin(
            count=int(chosen.sum()),
            confidence=float(confidences[chosen].mean()),
            accuracy=float(is_right[chosen].mean()),
        )
        for place in range(num_bins)
        if (chosen := places == place).any()
    ]
