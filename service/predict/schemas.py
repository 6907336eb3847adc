"""Answers of predictions."""

from pydantic import BaseModel, Field


class ClassProbability(BaseModel):
    """One class and its probability."""

    digit: int
    class_name: str
    probability: float


class ModelReading(BaseModel):
    """One run's prediction for the first figure."""

    run_id: int
    experiment_id: int
    dataset: str
    label: str
    normalization: str
    digit: int
    class_name: str
    confidence: float
    probabilities: list[float]


class BoxOut(BaseModel):
    """A place in the picture, in its own pixels, as it is seen upright."""

    left: int
    top: int
    width: int
    height: int


class FigureReading(BaseModel):
    """One figure of the picture, as it was read."""

    digit: int
    class_name: str
    confidence: float
    probabilities: list[float]
    box: BoxOut
    is_digit: bool
    is_unsure: bool
    turned_degrees: int = Field(description="Clockwise turn after which it was read: 0, 90, 180 or 270.")


class Preprocessing(BaseModel):
    """The steps from the picture to the network's input."""

    steps: list[str]
    image: str = Field(
        description="The 28×28 pixels that the answering network saw, as a data: URL of a PNG."
    )


class ExplanationOut(BaseModel):
    """A picture that explains the answer."""

    method: str
    image: str = Field(description="The network's input under its explanation, as a data: URL of a PNG.")


class PredictionOut(BaseModel):
    """The prediction of the best run, or of the ensemble, and of each run that was asked."""

    digit: int
    class_name: str
    confidence: float = Field(
        description="Probability of `digit`, calibrated by the run's temperature, and less the more the "
        "figure is unlike any digit."
    )
    probabilities: list[float] = Field(description="Ten numbers that sum to 1.")
    is_digit: bool = Field(description="False for what is no digit: a filled shape, noise, a scribble.")
    is_unsure: bool = Field(
        description="True where answers as doubtful as this one are wrong too often to rely on."
    )
    digits: list[int] = Field(description="All figures, line by line; `digit` is the first.")
    figures: list[FigureReading] = Field(description="What was read of each of `digits`, and where.")
    top: list[ClassProbability] | None = Field(description="The `top_k` most probable classes, best first.")
    models: list[ModelReading] = Field(description="Best run first; the first gives the answer.")
    explanation: ExplanationOut | None
    preprocessing: Preprocessing
    warnings: list[str]


class FailedPicture(BaseModel):
    """A picture of a batch that could not be read."""

    error: str
    detail: str


class BatchOut(BaseModel):
    """Each picture's answer or error, in the order sent."""

    results: list[PredictionOut | FailedPicture]


class SaliencyOut(ModelReading):
    """One run's prediction, and the share of each pixel in it."""

    saliency: list[list[float]] = Field(
        description="28×28 shares of the log-probability of `digit`, in nats, by integrated gradients from "
        "black (Sundararajan et al. 2017): above 0 speaks for it, below 0 against it; black pixels have 0."
    )
    preprocessing: Preprocessing
    warnings: list[str]
