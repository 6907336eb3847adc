"""Body of a prediction request."""

from typing import Any

from pydantic import Field

from lab.experiments.configs import Normalization
from service.dependencies import RowId, StrictModel


class PredictionIn(StrictModel):
    """A picture, as base64 of a file or as 28×28 numbers, and the run that should predict it."""

    image: str | None = Field(None, description="A picture file in base64, with or without a data: prefix.")
    pixels: Any = Field(None, description="28 lists of 28 numbers, 0–255 or 0–1.")
    run_id: RowId | None = None
    experiment_id: RowId | None = None
    normalization: Normalization | None = None
    best_per_configuration: bool = Field(
        False, description="Of runs with the same label, which differ in the seed, ask the best alone."
    )
