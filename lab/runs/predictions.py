"""Many runs' answers on the test set: all of them run by run, or those to one image."""

from collections.abc import Iterator, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.database.tables import TestPrediction
from lab.experiments.architecture import NUM_CLASSES

ROWS_AT_ONCE = 8
BYTES_PER_IMAGE = NUM_CLASSES * np.dtype("<f4").itemsize


def stream_log_probabilities(
    session: Session, run_ids: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Each run's id and log-probabilities (N, 10), by id; a run that has not completed has none.

    A thousand runs on MNIST would fill 400 MB at once.
    """
    query = (
        sa.select(TestPrediction.run_id, TestPrediction.log_probabilities)
        .where(TestPrediction.run_id.in_(run_ids))
        .order_by(TestPrediction.run_id)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for run_id, log_probabilities in session.execute(query):
        yield run_id, np.frombuffer(log_probabilities, dtype="<f4").reshape(-1, NUM_CLASSES)


def read_image_log_probabilities(
    session: Session, run_ids: Sequence[int], *, index: int
) -> dict[int, NDArray[np.float32]]:
    """Each completed run's log-probabilities (10,) of the test image at ``index``, which must exist.

    The database cuts them out, so that a thousand runs cost no more than a thousand short rows.
    """
    part = sa.func.substr(TestPrediction.log_probabilities, index * BYTES_PER_IMAGE + 1, BYTES_PER_IMAGE)
    query = sa.select(TestPrediction.run_id, part).where(TestPrediction.run_id.in_(run_ids))
    return {run_id: np.frombuffer(answer, dtype="<f4") for run_id, answer in session.execute(query)}
