"""A request that brings a picture, as a file, base64 or 28×28 numbers."""

import base64
import binascii
import re
from dataclasses import replace
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from lab.datasets.coarse_digits import coarsen
from lab.errors import InvalidImageError
from service.predict.preparation import PreparedImage, prepare_picture, prepare_pixels
from service.predict.requests import PredictionIn

SELECTORS = {
    "run_id": "integer",
    "experiment_id": "integer",
    "normalization": "string",
    "best_per_configuration": "boolean",
}
"""Fields beside the picture that say who is to read it, with their types."""

_FORM = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}}
    | {name: {"type": kind} for name, kind in SELECTORS.items()},
    "required": ["file"],
}
BODY_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/json": {"schema": PredictionIn.model_json_schema()},
        },
    }
}
"""What ``read_upload`` takes, for OpenAPI, which cannot see it."""


class Upload(BaseModel):
    """A request in either form: a picture file, or the JSON body."""

    picture: bytes | None = None
    body: PredictionIn


async def read_upload(request: Request) -> Upload:
    """Take a multipart form with the field file, a bare picture, or JSON.

    Raises:
        InvalidImageError: there is no picture in it.
        RequestValidationError: the other fields are not what they should be.
    """
    content_type = request.headers.get("content-type", "")
    try:
        if content_type.startswith("multipart/form-data"):
            form = await request.form()
            body = PredictionIn.model_validate({key: form[key] for key in form if key != "file"})
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise InvalidImageError("The form has no file in its field 'file'; send the picture there.")
            return Upload(picture=await file.read(), body=body)
        if content_type.startswith("image/"):
            selectors = {key: request.query_params[key] for key in SELECTORS if key in request.query_params}
            return Upload(picture=await request.body(), body=PredictionIn.model_validate(selectors))
        return Upload(body=PredictionIn.model_validate_json(await request.body()))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error


def prepare_upload(upload: Upload) -> PreparedImage:
    """The picture as a network sees it.

    Raises:
        InvalidImageError: there is no picture in the request, or more than one, or nothing on it.
        TooLargeError: the picture has too many pixels.
    """
    body = upload.body
    given = [name for name in ("image", "pixels") if getattr(body, name) is not None]
    if upload.picture is not None:
        if given:
            raise InvalidImageError(f"The request has a file and also {given[0]}; send one picture.")
        return prepare_picture(upload.picture)
    if len(given) != 1:
        raise InvalidImageError(
            "Send one picture: a form field 'file', or JSON with 'image' (base64 of a file) or "
            "'pixels' (28×28)."
        )
    return prepare_pixels(body.pixels) if body.image is None else prepare_picture(_decode_base64(body.image))


def fit_to_dataset(prepared: PreparedImage, *, dataset: str) -> PreparedImage:
    """Fit the picture to networks trained on ``dataset``; a picture used unchanged stays so."""
    if dataset != "digits" or not prepared.is_framed:
        return prepared
    return replace(
        prepared,
        pixels=coarsen(prepared.pixels),
        steps=[*prepared.steps, "made as coarse as the embedded digits, which have 8×8 pixels"],
    )


def _decode_base64(text: str) -> bytes:
    encoded = re.sub(r"^data:[^,]*,", "", text.strip())
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidImageError("image is not base64; send the bytes of a picture file, encoded.") from error
