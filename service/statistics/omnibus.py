"""Whether several levels of a factor differ at all, as one question."""

import numpy as np
from numpy.typing import NDArray

NUM_PERMUTATIONS = 19_999


def find_levels_p(scores: NDArray[np.float64]) -> float:
    """p of the permutation test that all levels are alike; ``scores`` is (levels, seeds).

    Were they alike, each seed's scores could as well have come in another order. p is the share of
    ``NUM_PERMUTATIONS`` random orders within seeds, always the same ones, whose level means lie as far apart,
    by their sum of squares, as those seen: (hits + 1) / (draws + 1). It is the F test of a randomized block
    design with its normal distribution replaced by the permutations (Edgington & Onghena 2007).
    """
    centred = scores - scores.mean(axis=0)
    rng = np.random.default_rng(0)
    sums = np.zeros((NUM_PERMUTATIONS, len(scores)))
    for of_seed in centred.T:
        sums += rng.permuted(np.broadcast_to(of_seed, sums.shape), axis=1)
    seen = float((centred.sum(axis=1) ** 2).sum())
    # Orders that are equal on paper differ in their last bits.
    hits = int(((sums**2).sum(axis=1) >= seen * (1 - 1e-9)).sum())
    return (hits + 1) / (NUM_PERMUTATIONS + 1)
