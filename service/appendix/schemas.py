"""Response models of the appendix; every index is 0-based, so "image 1" is index 0."""

from pydantic import BaseModel, Field

from service.appendix.tensor import Tensor


class WorkedStep(BaseModel):
    """One step of the working."""

    name: str = Field(description='What the step finds, as in "mean" or "normalized value".')
    words: str = Field(description="The step in words.")
    latex: str = Field(description="The formula with its numbers, without dollar signs.")
    mathml: list[str] = Field(
        description="The same formula as `<math>` elements, between which a line may break."
    )


class WorkedValue(BaseModel):
    """One value through a layer: x̂ = (x - mean) / sqrt(variance + eps), then y = gamma · x̂ + beta."""

    position: tuple[int, int, int, int] = Field(description="0-based image, channel, row, column.")
    place: str = Field(description="The position in words, which count from 1.")
    value: float = Field(description="x")
    mean: float
    variance: float
    eps: float
    gamma: float
    beta: float
    standardized: float = Field(description="x̂; 0 stands for 0/0.")
    output: float = Field(description="y")


class FollowedValue(WorkedValue):
    """The same with its working."""

    steps: list[WorkedStep] = Field(description="The working of x̂ and of y.")


class WorkedSet(BaseModel):
    """A set of values that share one mean and one variance, and the working of both."""

    label: str = Field(description="The set in words, which count from 1.")
    channels: list[int] = Field(description="0-based channels of the set.")
    values: list[float] = Field(description="In the order image, channel, row, column.")
    sum: float
    count: int
    mean: float
    variance: float = Field(description="Population variance: squared deviations divided by count.")
    std: float = Field(description="Square root of the variance, without eps.")
    mean_fraction: str = Field(description='The exact mean, as in "-3/8".')
    variance_fraction: str = Field(description='The exact variance, as in "279/64".')
    uses_filled_in: bool = Field(description="True if a value is not the study's own (study's sample only).")
    steps: list[WorkedStep] = Field(
        description="The working in seven steps, the middle of long lists left out."
    )
    first_value: FollowedValue = Field(description="The first of the values, normalized.")
    latex: str = Field(description="The working as one LaTeX aligned block, without dollar signs.")
    color: int = Field(description="0 to 7, different for neighboring sets.")


class BatchSet(WorkedSet):
    """One channel over all images."""

    channel: int = Field(description="0-based")


class LayerSet(WorkedSet):
    """One image over all its channels."""

    image: int = Field(description="0-based")


class GroupSet(WorkedSet):
    """One group of neighboring channels of one image."""

    image: int = Field(description="0-based")
    group: int = Field(description="0-based")


class InstanceSet(WorkedSet):
    """One channel of one image."""

    image: int = Field(description="0-based")
    channel: int = Field(description="0-based")


class NormalizedTensors(BaseModel):
    """(x - mean) / sqrt(variance + eps) · gamma + beta, each [N][C][H][W]; 0 stands for 0/0."""

    batch: Tensor
    group: Tensor
    layer: Tensor
    instance: Tensor


class RunningAnswer(BaseModel):
    """One channel's running statistics after their first update, and its first value in eval mode."""

    channel: int = Field(description="0-based")
    unbiased_variance: float = Field(description="variance · n / (n - 1)")
    running_mean: float
    running_variance: float
    unbiased_variance_fraction: str
    running_mean_fraction: str
    running_variance_fraction: str
    first_value: WorkedValue
    steps: list[WorkedStep] = Field(description="The working of the update and of the value.")


class InferenceAnswer(BaseModel):
    """Batch norm at inference, after one update of its running statistics by this batch.

    running = (1 - momentum) · running + momentum · the batch's mean, or its unbiased variance.
    """

    momentum: float = Field(description="PyTorch's convention: the weight of the new batch.")
    start_mean: float
    start_variance: float
    channels: list[RunningAnswer]
    normalized: Tensor = Field(description="The output in eval mode, [N][C][H][W].")


class SampleAnswer(BaseModel):
    """The tensor and the settings that were worked out."""

    shape: tuple[int, int, int, int] = Field(description="N, C, H, W")
    pixels: Tensor = Field(description="[N][C][H][W]")
    channel_names: list[str]
    filled_in: list[tuple[int, int, int, int]] = Field(
        description="0-based [image, channel, row, column] of the values that the study does not print."
    )
    groups: int
    eps: float
    gamma: list[float] | None = Field(description="Per channel; null: 1 everywhere.")
    beta: list[float] | None = Field(description="Per channel; null: 0 everywhere.")


class AppendixAnswer(BaseModel):
    """Statistics of batch, group, layer and instance norm, each set with its working. Indexes are 0-based."""

    sample: SampleAnswer
    notes: list[str] = Field(description="Remarks for the reader, the study's errors first.")
    batch: list[BatchSet]
    group: list[GroupSet]
    layer: list[LayerSet]
    instance: list[InstanceSet]
    normalized: NormalizedTensors
    inference: InferenceAnswer | None = Field(
        description="Batch norm in eval mode; null if a channel holds a single value, which has no unbiased "
        "variance."
    )
