"""Request and response models of the appendix; every index is 0-based, so "image 1" is index 0."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from service.appendix.colors import pick_colors
from service.appendix.notation import Latex, MathMl, write_math
from service.appendix.statistics import Appendix, StatisticsSet
from service.appendix.tensor import MAX_MAGNITUDE, MAX_VALUES, Tensor, build_tensor
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
    """The tensor to work out, with the settings of the layers."""

    # service.appendix.tensor checks the values, and its errors say what would be valid.
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [_EXAMPLE], "required": ["pixels"]}
    )

    pixels: Annotated[Any, WithJsonSchema(_TENSOR)] = Field(
        None,
        description="Finite numbers as four nested lists [N][C][H][W]: images, channels, rows, columns; "
        f"at most {MAX_VALUES:,}, each 0 or between 1e-9 and 1e6 in size. 0.1 is taken as exactly 1/10.",
    )
    groups: Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 1})] = Field(
        2, description="Number of groups of neighboring channels in group norm; must divide C."
    )
    eps: Annotated[Any, WithJsonSchema(_NUMBER | {"minimum": 0})] = Field(
        0.0, description="Added to the variance under the root when normalizing; layers usually use 1e-5."
    )
    gamma: Annotated[Any, WithJsonSchema(_PER_CHANNEL)] = Field(
        None, description="One factor per channel, applied after every normalization; 1 by default."
    )
    beta: Annotated[Any, WithJsonSchema(_PER_CHANNEL)] = Field(
        None, description="One summand per channel, added after gamma; 0 by default."
    )


class WorkedStep(BaseModel):
    """One step of the working."""

    name: str = Field(
        description="values, sum, count, mean, squared deviations, variance or standard deviation"
    )
    words: str = Field(description="The step in words.")
    latex: str = Field(description="The formula with its numbers, without dollar signs.")
    mathml: list[str] = Field(
        description="The same formula as `<math>` elements, between which a line may break."
    )


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


def describe_appendix(appendix: Appendix) -> AppendixAnswer:
    """Turn exact fractions into the answer's floats, fractions as text, and working."""
    sample, affine = appendix.sample, appendix.affine
    sets = {
        name: [_describe_set(one, color=color) for one, color in zip(found, pick_colors(found), strict=True)]
        for name, found in appendix.sets.items()
    }
    return AppendixAnswer.model_validate(
        {
            "sample": {
                "shape": sample.shape,
                "pixels": build_tensor(sample.shape, lambda position: float(sample.pixel(position))),
                "channel_names": sample.channel_names,
                "filled_in": sorted(sample.filled_in),
                "groups": appendix.groups,
                "eps": float(affine.eps),
                "gamma": affine.gamma and [float(value) for value in affine.gamma],
                "beta": affine.beta and [float(value) for value in affine.beta],
            },
            "notes": appendix.notes,
            "normalized": appendix.normalized,
            **sets,
        }
    )


def _describe_set(one: StatisticsSet, *, color: int) -> dict[str, Any]:
    """Collect every field of a set; each model keeps the indexes that identify its own sets."""
    latex, mathml = (write_steps(one, notation=notation) for notation in (Latex(), MathMl()))
    return {
        "image": one.images[0],
        "channel": one.channels[0],
        "group": one.group,
        "label": one.label,
        "channels": one.channels,
        "values": [float(value) for value in one.values],
        "sum": float(one.total),
        "count": one.count,
        "mean": float(one.mean),
        "variance": float(one.variance),
        "std": one.std,
        "mean_fraction": str(one.mean),
        "variance_fraction": str(one.variance),
        "uses_filled_in": one.uses_filled_in,
        "steps": [
            {
                "name": step.name,
                "words": step.words,
                "latex": " ".join(step.pieces),
                "mathml": [write_math(piece, is_display=True) for piece in drawn.pieces],
            }
            for step, drawn in zip(latex, mathml, strict=True)
        ],
        "latex": write_latex(one),
        "color": color,
    }
