"""A request that brings pictures: files in a form, bare bytes, base64 or numbers, one or many."""

import base64
import binascii
import re
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile

from lab.datasets.coarse_digits import coarsen
from lab.errors import InvalidImageError, LabError
from service.predict.preparation import (
    MAX_BATCH,
    NUM_PIXELS,
    PreparedImage,
    PreparedPicture,
    is_batch,
    prepare_picture,
    prepare_pixels,
    read_numbers,
)
from service.predict.requests import PredictionIn, PredictionOptions

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# curl -d and --data-binary name types of their own: a body is what its start shows, whatever its type.
PICTURE_STARTS = (b"\x89", b"\xff", b"\0", b"G", b"B", b"R", b"I", b"M", b"P")
NO_PICTURE = (
    "Send one picture, or a batch: a form field 'file', the bytes of a picture, or JSON with 'image' (base64 "
    "of a file), 'images' (a list of those) or 'pixels' (28×28 numbers, or a list of those)."
)

_OPTIONS = PredictionOptions.model_json_schema()["properties"]
BODY_SCHEMA: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in _OPTIONS.items()
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        **_OPTIONS,
                    },
                    "required": ["file"],
                }
            },
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": PredictionIn.model_json_schema()},
        },
    },
}
"""The body and the query of ``read_upload``, for OpenAPI, which cannot see them."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One picture as it was sent: a file's bytes, base64, or numbers."""

    content: Any


@dataclass(frozen=True, kw_only=True)
class Upload:
    """The pictures of a request; ``is_batch`` if they are to be answered one by one."""

    pictures: list[Sent]
    is_batch: bool
    options: PredictionOptions


@dataclass(frozen=True, kw_only=True)
class PreparedUpload:
    """Each picture prepared, or the error that says why it cannot be."""

    pictures: list[PreparedPicture | LabError]
    is_batch: bool
    options: PredictionOptions


async def read_upload(request: Request) -> Upload:
    """Read a multipart form with the field file, once or often, or the bytes of a picture, or JSON.

    Options are form fields or fields of the JSON, or query parameters.

    Raises:
        InvalidImageError: there is no picture in it.
        RequestValidationError: the other fields are not what they should be.
    """
    content_type = request.headers.get("content-type", "")
    media_type = content_type.split(";")[0].strip().lower()
    query = dict(request.query_params)
    try:
        if media_type == "multipart/form-data":
            return await _read_form(request, query)
        body = (await request.body()).removeprefix(BYTE_ORDER_MARK)
        is_json = body[:1] not in PICTURE_STARTS if media_type == "application/json" else body[:1] == b"{"
        if is_json:
            return _read_json(body, query)
        options = PredictionOptions.model_validate(query)
        return Upload(pictures=[Sent(content=body)], is_batch=False, options=options)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error


async def _read_form(request: Request, query: dict[str, str]) -> Upload:
    body = await request.body()
    _, parameters = parse_options_header(request.headers["content-type"])
    end = b"--" + parameters.get(b"boundary", b"") + b"--"
    if end not in body[-len(end) - 4 :]:
        raise InvalidImageError("The upload is truncated: the form's end is missing; send it again.")
    form = await request.form()
    fields = {name: value for name, value in form.multi_items() if name != "file"}
    options = PredictionOptions.model_validate(query | fields)
    files = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
    if not files:
        raise InvalidImageError("The form has no file in its field 'file'; send the picture there.")
    _check_batch(len(files))
    pictures = [Sent(content=await file.read()) for file in files]
    return Upload(pictures=pictures, is_batch=len(pictures) > 1, options=options)


def _read_json(body: bytes, query: dict[str, str]) -> Upload:
    sent = PredictionIn.model_validate_json(body)
    fields = sent.model_dump(include=set(PredictionOptions.model_fields), exclude_unset=True)
    options = PredictionOptions.model_validate(query | fields)
    given = [name for name in ("image", "images", "pixels") if getattr(sent, name) is not None]
    if len(given) != 1:
        raise InvalidImageError(NO_PICTURE)
    if sent.image is not None:
        return Upload(pictures=[Sent(content=sent.image)], is_batch=False, options=options)
    if sent.images is not None:
        contents: list[Any] = list(sent.images)
        _check_batch(len(contents))
        return Upload(pictures=[Sent(content=one) for one in contents], is_batch=True, options=options)
    return Upload(**_split_pixels(sent.pixels), options=options)


def _split_pixels(values: Any) -> dict[str, Any]:
    """The pictures in ``pixels``: one, or a batch along the first axis, of which each may be wrong alone."""
    try:
        array = read_numbers(values)
        if not is_batch(array):
            return {"pictures": [Sent(content=values)], "is_batch": False}
    except InvalidImageError:
        # Unequal or wrong: a batch if at least one of its items is a picture.
        if not isinstance(values, list) or not any(_is_picture(item) for item in values):
            raise
    _check_batch(len(values))
    return {"pictures": [Sent(content=item) for item in values], "is_batch": True}


def _is_picture(item: Any) -> bool:
    try:
        return read_numbers(item).size == NUM_PIXELS
    except InvalidImageError:
        return False


def _check_batch(count: int) -> None:
    if not 1 <= count <= MAX_BATCH:
        raise InvalidImageError(f"The batch has {count:,} pictures; send 1 to {MAX_BATCH}.")


UploadDep = Annotated[Upload, Depends(read_upload)]


def prepare_upload(upload: UploadDep) -> PreparedUpload:
    """Prepare the pictures; in a batch, one that cannot be is answered with its error.

    Raises:
        InvalidImageError: the only picture is none, or nothing is on it.
        TooLargeError: it has too many pixels.
    """
    prepared: list[PreparedPicture | LabError] = []
    for sent in upload.pictures:
        try:
            prepared.append(_prepare(sent.content))
        except LabError as error:
            if not upload.is_batch:
                raise
            prepared.append(error)
    return PreparedUpload(pictures=prepared, is_batch=upload.is_batch, options=upload.options)


# Outside the transaction: a photo takes longer to prepare than a connection should be held.
PreparedDep = Annotated[PreparedUpload, Depends(prepare_upload)]


def fit_to_dataset(prepared: PreparedImage, *, dataset: str) -> PreparedImage:
    """Fit the picture to networks trained on ``dataset``; a picture used unchanged stays so."""
    if dataset != "digits" or not prepared.is_framed:
        return prepared
    return replace(
        prepared,
        pixels=coarsen(prepared.pixels),
        steps=[*prepared.steps, "made as coarse as the embedded digits, which have 8×8 pixels"],
    )


def _prepare(content: Any) -> PreparedPicture:
    if isinstance(content, bytes):
        return prepare_picture(content)
    if isinstance(content, str):
        return prepare_picture(decode_base64(content))
    return prepare_pixels(content)


def decode_base64(text: str) -> bytes:
    """Decode base64, also URL-safe or unpadded, after a data: prefix if there is one.

    Raises:
        InvalidImageError: it is none.
    """
    encoded, is_data_url = re.subn(r"^data:[^,]*,", "", text.strip(), flags=re.IGNORECASE)
    if is_data_url:
        encoded = unquote(encoded)
    encoded = "".join(encoded.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidImageError("image is not base64; send the bytes of a picture file, encoded.") from error
