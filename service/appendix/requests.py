"""Request model of the appendix."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from service.appendix.tensor import MAX_MAGNITUDE, MAX_VALUES

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
