"""Omnibus test: do the levels of a factor differ at all?"""

import numpy as np
from numpy.typing import NDArray

from lab.statistics.paired import MAX_EXACT_SEEDS, TIE_TOLERANCE, list_signs


def find_levels_p(scores: NDArray[np.float64]) -> float:
    """p of the sign-flip test that all levels have one mean; ``scores`` is (levels, seeds).

    Each seed's scores, less their mean, are one vector; were there nothing in the levels, it could as well
    have pointed the other way. p is the share of sign assignments to the seeds whose level means lie as far
    apart, by their sum of squares, as those seen; with two levels it is ``find_sign_flip_p``. Levels may
    spread unequally: shuffling scores within a seed, as the permutation test of a randomized block design
    does, takes them for interchangeable and calls a level that merely spreads more different too often.
    """
    centred = scores - scores.mean(axis=0)
    signs = list_signs(scores.shape[1])
    sums = ((signs @ centred.T) ** 2).sum(axis=1)
    seen = float((centred.sum(axis=1) ** 2).sum())
    # Sums that are equal on paper differ in their last bits.
    hits = int((sums >= seen * (1 - 1e-9) - TIE_TOLERANCE**2).sum())
    return hits / len(signs) if scores.shape[1] <= MAX_EXACT_SEEDS else (hits + 1) / (len(signs) + 1)
