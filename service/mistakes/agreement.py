"""Agreement of runs: images that several runs misclassify, or one normalization alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.mistakes.answers import Answers

IndexArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class OnlyMissed:
    """Images that only one normalization misclassifies: with all of its runs, or with most of them.

    Both are empty where there is no other normalization to compare with.
    """

    normalization: str
    num_runs: int
    by_all: IndexArray
    by_most: IndexArray


def count_agreement(is_missed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the images (R, N) that exactly k runs misclassify, for k from 0 to R."""
    return np.bincount(is_missed.sum(axis=0), minlength=len(is_missed) + 1)


def find_missed_by_every_run(is_missed: NDArray[np.bool_]) -> IndexArray:
    """Find the images (R, N) that every run misclassifies; none without runs."""
    return np.flatnonzero(is_missed.all(axis=0)) if len(is_missed) else np.empty(0, dtype=np.int64)


def find_missed_only(is_missed: NDArray[np.bool_], normalizations: Sequence[str]) -> list[OnlyMissed]:
    """Find for each normalization of the R runs the images that it alone misclassifies."""
    names = np.asarray(normalizations)
    found = []
    for name in dict.fromkeys(normalizations):
        is_own = names == name
        num_runs = int(is_own.sum())
        num_missed = is_missed[is_own].sum(axis=0)
        is_only = ~is_missed[~is_own].any(axis=0) & (num_runs < len(names))
        found.append(
            OnlyMissed(
                normalization=name,
                num_runs=num_runs,
                by_all=np.flatnonzero(is_only & (num_missed == num_runs)),
                by_most=np.flatnonzero(is_only & (2 * num_missed > num_runs)),
            )
        )
    return found


def select_missed(
    answers: Answers,
    *,
    true: int | None = None,
    predicted: int | None = None,
    missed_by: str = "any",
    row: int | None = None,
) -> IndexArray:
    """Select misclassified images: by most runs first, then by confidence.

    ``true`` keeps images of that class, ``predicted`` those that a run takes for it wrongly. ``missed_by``
    is ``any``, ``every`` run, or a normalization: images that most of its runs miss and no other run. ``row``
    is the place of the one run that is asked in place of them all.
    """
    asked = slice(None) if row is None else slice(row, row + 1)
    is_missed, confidence = answers.is_missed[asked], answers.confidence[asked]
    is_selected = is_missed.any(axis=0)
    if true is not None:
        is_selected &= answers.labels == true
    if predicted is not None:
        is_selected &= (is_missed & (answers.predicted[asked] == predicted)).any(axis=0)
    if missed_by != "any":
        is_wanted = np.zeros(len(answers.labels), dtype=bool)
        is_wanted[_find(answers, missed_by)] = True
        is_selected &= is_wanted
    indices = np.flatnonzero(is_selected)
    num_missed = is_missed[:, indices].sum(axis=0)
    total_confidence = np.where(is_missed, confidence, 0)[:, indices].sum(axis=0)
    # The last key counts first.
    return indices[np.lexsort((-total_confidence, -num_missed))]


def _find(answers: Answers, missed_by: str) -> IndexArray:
    if missed_by == "every":
        return find_missed_by_every_run(answers.is_missed)
    normalizations = [run.config.normalization for run in answers.runs]
    for only in find_missed_only(answers.is_missed, normalizations):
        if only.normalization == missed_by:
            return only.by_most
    return np.empty(0, dtype=np.int64)
