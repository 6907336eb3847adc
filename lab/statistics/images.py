"""Interval of a pair's difference for other seeds and other test images.

Seeds and images are two crossed random samples, as Bouthillier et al. (2021), Accounting for variance in
machine learning benchmarks, ask for: a verdict on one test set takes its images as given.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lab.statistics.summaries import CONFIDENCE, find_margin


def find_crossed_interval(differences: NDArray[np.int8]) -> tuple[float, float] | None:
    """The 95 % interval of the mean of ``differences`` (seeds, images): a is right minus b is right.

    Mean ± t·√V for two crossed random factors without replicates (Searle, Casella & McCulloch 1992, Variance
    components): V = (MS_seeds + MS_images − MS_rest) / (seeds · images), t with Satterthwaite's (1946)
    degrees of freedom. Other images never make it narrower than other seeds alone do. None below two seeds
    or two images.
    """
    num_seeds, num_images = differences.shape
    if num_seeds < 2 or num_images < 2:
        return None
    by_seed = differences.sum(axis=1, dtype=np.int64)
    by_image = differences.sum(axis=0, dtype=np.int16).astype(np.float64)
    num_cells = num_seeds * num_images
    mean = float(by_seed.sum()) / num_cells
    common = num_cells * mean**2
    seeds = max(float(by_seed @ by_seed) / num_images - common, 0.0)
    images = float(by_image @ by_image) / num_seeds - common
    # The square of −1, 0 or 1 is 1 wherever there is a difference.
    rest = float(np.count_nonzero(differences)) - common - seeds - images
    degrees = np.array([num_seeds - 1, num_images - 1, (num_seeds - 1) * (num_images - 1)])
    squares = np.array([seeds, images, rest]) / degrees
    half = find_margin(sqrt(squares[0] / num_images), num_seeds)
    if squares[1] > squares[2]:
        total = squares[0] + squares[1] - squares[2]
        t = special.stdtrit(total**2 / float((squares**2 / degrees).sum()), (1 + CONFIDENCE) / 2)
        half = max(half, float(t * sqrt(total / num_cells)))
    return mean - half, mean + half
