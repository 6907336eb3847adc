"""Body of a prediction request."""

from typing import Any, Literal

from pydantic import Field

from lab.experiments.architecture import NUM_CLASSES
from lab.experiments.configs import Normalization
from service.dependencies import RowId, StrictModel

Explanation = Literal["saliency", "gradcam"]


class PredictionOptions(StrictModel):
    """Who predicts, and what is answered; as form fields or query parameters beside a file too."""

    run_id: RowId | None = None
    experiment_id: RowId | None = None
    normalization: Normalization | None = None
    best_per_configuration: bool = Field(
        False, description="Of runs with the same label, which differ in the seed, ask the best alone."
    )
    models: Literal["best", "experiment"] = Field(
        "best",
        description="`best`: the best run gives the answer. `experiment`: the probabilities of every run "
        "of its experiment are averaged, an ensemble over seeds.",
    )
    top_k: int | None = Field(
        None, ge=1, le=NUM_CLASSES, description="List as many most probable classes, best first."
    )
    explain: Explanation | None = Field(
        None, description="Add a picture of what the answer rests on: `saliency` or `gradcam`."
    )


class PredictionIn(PredictionOptions):
    """A picture, or a batch of them, as base64 of files or as 28×28 numbers, and who predicts."""

    image: str | None = Field(None, description="A picture file in base64, with or without a data: prefix.")
    images: list[str] | None = Field(None, description="Up to 256 picture files in base64.")
    pixels: Any = Field(
        None,
        description="28 lists of 28 numbers, 0–255 or 0–1; as well 784 numbers, 28×28×1 or 1×28×28; or a "
        "batch of up to 256 of these.",
    )
