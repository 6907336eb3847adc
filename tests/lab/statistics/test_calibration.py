import numpy as np
import pytest
from scipy.special import log_softmax

from lab.statistics.calibration import (
    MIN_TEMPERATURE,
    bin_by_confidence,
    calibrate,
    compute_calibration_error,
    fit_temperature,
    measure_calibration,
)


def draw(temperature: float, *, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities that are ``temperature`` times too sure, and labels drawn from the true ones."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (count, 10))
    true = np.exp(log_softmax(logits, axis=1))
    labels = (true.cumsum(axis=1) > generator.random((count, 1))).argmax(axis=1)
    return log_softmax(logits * temperature, axis=1).astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_that_made_a_network_too_sure_is_found_again(temperature: float) -> None:
    log_probabilities, labels = draw(temperature)

    assert fit_temperature(log_probabilities, labels) == pytest.approx(temperature, rel=0.05)


def test_scaling_mends_the_calibration_error() -> None:
    calibration = measure_calibration(*draw(3.0))

    assert calibration.error > 0.2
    assert calibration.calibrated_error < 0.02


def test_calibrated_probabilities_sum_to_one_and_keep_their_order() -> None:
    log_probabilities, _ = draw(2.0, count=100)
    calibrated = calibrate(log_probabilities, 2.0)

    assert calibrated.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(calibrated.argsort(axis=1), log_probabilities.argsort(axis=1))


def test_every_answer_right_gives_nearly_the_least_temperature() -> None:
    log_probabilities = np.log(np.eye(10, dtype=np.float32) * 0.9 + 0.01)

    assert MIN_TEMPERATURE <= fit_temperature(log_probabilities, np.arange(10)) < 1.5 * MIN_TEMPERATURE


def test_error_is_the_gap_of_each_bin_weighted_by_its_images() -> None:
    # Three at 0.9 of which two are right, one at 0.5 that is right: (3 × |2/3 − 0.9| + |1 − 0.5|) / 4.
    sure = [0.9] + [0.1 / 9] * 9
    doubtful = [0.5] + [0.5 / 9] * 9
    probabilities = np.array([sure, sure, sure, doubtful], dtype=np.float32)
    labels = np.array([0, 0, 1, 0])

    assert compute_calibration_error(probabilities, labels) == pytest.approx((3 * (0.9 - 2 / 3) + 0.5) / 4)
    assert [one.count for one in bin_by_confidence(probabilities, labels)] == [1, 3]
