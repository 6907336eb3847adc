"""Requests and answers of the appendix's routes; every index is 0-based, so "image 1" is index 0."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from service.appendix.notation import Latex
from service.appendix.statistics import Appendix, StatisticsSet, Tensor
from service.appendix.tensor import MAX_MAGNITUDE, MAX_VALUES
from service.appendix.working import write_latex, write_steps

_NUMBER: dict[str, Any] = {"type": "number", "minimum": -MAX_MAGNITUDE, "maximum": MAX_MAGNITUDE}
_NUMBERS: dict[str, Any] = {"type": "array", "items": _NUMBER, "minItems": 1}
_PLANE: dict[str, Any] = {"type": "array", "items": _NUMBERS, "minItems": 1}
_IMAGE: dict[str, Any] = {"type": "array", "items": _PLANE, "minItems": 1}
_TENSOR: dict[str, Any] = {"type": "array", "items": _IMAGE, "minItems": 1}
_PER_CHANNEL: dict[str, Any] = {"anyOf": [_NUMBERS, {"type": "null"}]}
_EXAMPLE: dict[str, JsonValue] = {
    "pixels": [[[[-3, -2], [1, -1]], [[2, -2], [2, 1]]], [[[-1, 2], [-1, 2]], [[1, 0], [-2, 3]]]],
    "groups": 2,
    "eps": 1e-5,
    "gamma": [1, 2],
    "beta": [0, 0.5],
}


class AppendixRequest(BaseModel):
    """The tensor to work out, and the parameters of the normalizations."""

    # Values are checked in service.appendix.tensor, whose sentences say what would be right.
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [_EXAMPLE], "required": ["pixels"]}
    )

    pixels: Annotated[Any, WithJsonSchema(_TENSOR)] = Field(
        None,
        description="Finite numbers as four nested lists [N][C][H][W]: images, channels, rows, columns; "
        f"at most {MAX_VALUES:,}, each 0 or between 1e-9 and 1e6 in size. 0.1 is taken as exactly 1/10.",
    )
    groups: Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 1})] = Field(
        2, description="Into how many groups of neighbours group norm splits the channels; must divide C."
    )
    eps: Annotated[Any, WithJsonSchema(_NUMBER | {"minimum": 0})] = Field(
        0.0, description="Added to the variance under the root when normalizing; layers usually take 1e-5."
    )
    gamma: Annotated[Any, WithJsonSchema(_PER_CHANNEL)] = Field(
        None, description="One factor per channel, applied after every normalization; left out: 1."
    )
    beta: Annotated[Any, WithJsonSchema(_PER_CHANNEL)] = Field(
        None, description="One summand per channel, applied after gamma; left out: 0."
    )


class WorkedStep(BaseModel):
    """One step of the working."""

    name: str = Field(
        description="values, sum, count, mean, squared deviations, variance or standard deviation"
    )
    words: str = Field(description="What is done.")
    latex: str = Field(description="The formula with its numbers, without dollar signs.")


class WorkedSet(BaseModel):
    """The values that share one mean and one variance, and the working of both."""

    label: str = Field(description="Which values these are, in words that count from 1.")
    channels: list[int] = Field(description="0-based channels of the set.")
    values: list[float] = Field(description="In the order image, channel, row, column.")
    sum: float
    count: int
    mean: float
    variance: float = Field(description="Population variance: squared deviations divided by count.")
    std: float = Field(description="Square root of the variance, without eps.")
    mean_fraction: str = Field(description='The exact mean, as in "-3/8".')
    variance_fraction: str = Field(description='The exact variance, as in "279/64".')
    uses_filled_in: bool = Field(description="Whether a value is not the study's own (study's sample only).")
    steps: list[WorkedStep] = Field(
        description="The working in seven steps, the middle of long lists left out."
    )
    latex: str = Field(description="The working as one LaTeX aligned block, without dollar signs.")

    @classmethod
    def describe(cls, one: StatisticsSet, *, place: dict[str, int]) -> Self:
        """Fill the answer for one set; ``place`` holds its 0-based image, group or channel."""
        steps = [
            WorkedStep(name=step.name, words=step.words, latex=" ".join(step.pieces))
            for step in write_steps(one, notation=Latex())
        ]
        figures: dict[str, Any] = {
            "label": one.label,
            "channels": list(one.channels),
            "values": [float(value) for value in one.values],
            "sum": float(one.total),
            "count": one.count,
            "mean": float(one.mean),
            "variance": float(one.variance),
            "std": one.std,
            "mean_fraction": str(one.mean),
            "variance_fraction": str(one.variance),
            "uses_filled_in": one.uses_filled_in,
            "steps": steps,
            "latex": write_latex(one),
        }
        return cls.model_validate(place | figures)


class BatchSet(WorkedSet):
    """One channel over all images."""

    channel: int = Field(description="0-based")


class LayerSet(WorkedSet):
    """One image over all its channels."""

    image: int = Field(description="0-based")


class GroupSet(WorkedSet):
    """One group of neighbouring channels of one image."""

    image: int = Field(description="0-based")
    group: int = Field(description="0-based")


class InstanceSet(WorkedSet):
    """One channel of one image."""

    image: int = Field(description="0-based")
    channel: int = Field(description="0-based")


class NormalizedTensors(BaseModel):
    """(x - mean) / sqrt(variance + eps) · gamma + beta, each [N][C][H][W]; 0/0 is written as 0."""

    batch: Tensor
    group: Tensor
    layer: Tensor
    instance: Tensor


class SampleAnswer(BaseModel):
    """The tensor that was worked out."""

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
    notes: list[str] = Field(description="What a reader should know, the study's slips first.")
    batch: list[BatchSet]
    group: list[GroupSet]
    layer: list[LayerSet]
    instance: list[InstanceSet]
    normalized: NormalizedTensors


def describe_appendix(appendix: Appendix) -> AppendixAnswer:
    """Turn exact fractions into the answer's floats, fractions as text, and working."""
    sample, affine, sets = appendix.sample, appendix.affine, appendix.sets
    floats = [[[[float(x) for x in row] for row in channel] for channel in image] for image in sample.pixels]
    return AppendixAnswer(
        sample=SampleAnswer.model_validate(
            {
                "shape": sample.shape,
                "pixels": floats,
                "channel_names": sample.channel_names,
                "filled_in": sorted(sample.filled_in),
                "groups": appendix.groups,
                "eps": float(affine.eps),
                "gamma": affine.gamma and [float(value) for value in affine.gamma],
                "beta": affine.beta and [float(value) for value in affine.beta],
            }
        ),
        notes=list(appendix.notes),
        batch=[BatchSet.describe(one, place={"channel": one.channels[0]}) for one in sets["batch"]],
        group=[
            GroupSet.describe(one, place={"image": one.images[0], "group": one.group or 0})
            for one in sets["group"]
        ],
        layer=[LayerSet.describe(one, place={"image": one.images[0]}) for one in sets["layer"]],
        instance=[
            InstanceSet.describe(one, place={"image": one.images[0], "channel": one.channels[0]})
            for one in sets["instance"]
        ],
        normalized=NormalizedTensors(**dict(appendix.normalized.items())),
    )
