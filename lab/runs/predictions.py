"""Test predictions of completed runs: encoding, and reading by run or by image."""

from collections.abc import Iterator, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from lab.database.tables import TestPrediction
from lab.experiments.architecture import NUM_CLASSES
from lab.runs.records import RunRecord, require_completed

LogProbabilities = NDArray[np.float32]

ROWS_AT_ONCE = 8
STORED_TYPE = np.dtype("<f4")
BYTES_PER_IMAGE = NUM_CLASSES * STORED_TYPE.itemsize


def encode_log_probabilities(log_probabilities: LogProbabilities) -> bytes:
    """Encode log-probabilities (N, 10) as little-endian float32, row by row."""
    return log_probabilities.astype(STORED_TYPE).tobytes()


def decode_log_probabilities(data: bytes) -> LogProbabilities:
    """Decode the result of ``encode_log_probabilities``, as (N, 10)."""
    return np.frombuffer(data, dtype=STORED_TYPE).reshape(-1, NUM_CLASSES)


def read_log_probabilities(session: Session, run: RunRecord) -> LogProbabilities:
    """Read the trained network's predictions for the test set, (N, 10).

    Raises:
        RunNotFinishedError: the run has not completed.
    """
    require_completed(run)
    query = sa.select(TestPrediction.log_probabilities).where(TestPrediction.run_id == run.id)
    return decode_log_probabilities(session.scalars(query).one())


def stream_log_probabilities(
    session: Session, run_ids: Sequence[int]
) -> Iterator[tuple[int, LogProbabilities]]:
    """Yield each completed run's id and log-probabilities (N, 10), by id, a few runs at a time.

    All at once, a thousand runs on MNIST would fill 400 MB.
    """
    query = (
        sa.select(TestPrediction.run_id, TestPrediction.log_probabilities)
        .where(TestPrediction.run_id.in_(run_ids))
        .order_by(TestPrediction.run_id)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for run_id, data in session.execute(query):
        yield run_id, decode_log_probabilities(data)


def read_image_log_probabilities(
    session: Session, run_ids: Sequence[int], *, index: int
) -> dict[int, LogProbabilities]:
    """Read each completed run's log-probabilities (10,) of the test image at ``index``, which must exist.

    The database cuts them out, so a thousand runs cost no more than a thousand short rows.
    """
    part = sa.func.substr(TestPrediction.log_probabilities, index * BYTES_PER_IMAGE + 1, BYTES_PER_IMAGE)
    query = sa.select(TestPrediction.run_id, part).where(TestPrediction.run_id.in_(run_ids))
    return {run_id: decode_log_probabilities(data)[0] for run_id, data in session.execute(query)}
