"""Many runs' answers on the test set, read one run at a time."""

from collections.abc import Iterator, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.architecture import NUM_CLASSES
from lab.tables import TestPrediction

ROWS_AT_ONCE = 8


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
