"""Read a digit."""

import base64
import binascii
import re
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from lab.datasets import DATASETS
from lab.errors import InvalidImageError, NoTrainedModelError
from lab.images import PreparedImage, prepare_picture, prepare_pixels
from lab.records import RunRecord, list_completed_runs, read_experiment, read_run, read_weights
from service.dependencies import LabDep, SessionDep
from service.pictures import write_png_url
from service.predictor import Reading, rank_runs
from service.schemas import PredictionIn

router = APIRouter(tags=["predict"])

SELECTORS = ("run_id", "experiment_id", "normalization")


class ModelReading(BaseModel):
    """What one run made of the picture."""

    run_id: int
    label: str
    digit: int
    class_name: str
    confidence: float
    probabilities: list[float]


class Preprocessing(BaseModel):
    """How the picture became what the network saw."""

    steps: list[str]
    image: str = Field(description="The 28×28 picture that the network saw, as a data: URL of a PNG.")


class PredictionOut(BaseModel):
    """The digit that the best of the asked runs reads, and what each of them reads."""

    digit: int
    class_name: str
    confidence: float
    probabilities: list[float] = Field(description="Ten numbers that sum to 1.")
    models: list[ModelReading] = Field(description="Best run first; the first gives the answer.")
    preprocessing: Preprocessing
    warnings: list[str]


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


@router.post(
    "/predict",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "file": {"type": "string", "format": "binary"},
                            "run_id": {"type": "integer"},
                            "experiment_id": {"type": "integer"},
                            "normalization": {"type": "string"},
                        },
                        "required": ["file"],
                    }
                },
                "application/json": {"schema": PredictionIn.model_json_schema()},
            },
        }
    },
)
def predict(
    upload: Annotated[Upload, Depends(read_upload)], lab: LabDep, session: SessionDep
) -> PredictionOut:
    """Read the digit on a picture: a multipart field `file`, or JSON with `image` (base64) or `pixels`.

    The best completed run answers, or the one named by `run_id`; `experiment_id` and `normalization` have
    every run they fit answer, the best of them first.
    """
    prepared = _prepare(upload)
    runs = _select_runs(session, upload.body)
    readings = [
        lab.predictor.read(prepared.pixels, run, read_weights=partial(read_weights, session, run))
        for run in runs
    ]
    models = [_view_reading(reading) for reading in readings]
    best = models[0]
    warnings = [*prepared.warnings, *_find_warnings(runs[0])]
    return PredictionOut(
        digit=best.digit,
        class_name=best.class_name,
        confidence=best.confidence,
        probabilities=best.probabilities,
        models=models,
        preprocessing=Preprocessing(steps=prepared.steps, image=write_png_url(prepared.pixels)),
        warnings=warnings,
    )


def _prepare(upload: Upload) -> PreparedImage:
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


def _decode_base64(text: str) -> bytes:
    encoded = re.sub(r"^data:[^,]*,", "", text.strip())
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidImageError("image is not base64; send the bytes of a picture file, encoded.") from error


def _select_runs(session: Session, body: PredictionIn) -> list[RunRecord]:
    """The runs that are to answer, the best first.

    Raises:
        NotFoundError: no run or experiment of that id.
        RunNotFinishedError: the run named has not completed.
        NoTrainedModelError: nothing that fits has completed.
    """
    if body.run_id is not None:
        run = read_run(session, body.run_id)
        read_weights(session, run)
        return [run]
    if body.experiment_id is not None:
        read_experiment(session, body.experiment_id)
    runs = list_completed_runs(session, experiment_id=body.experiment_id)
    if body.normalization is not None:
        runs = [run for run in runs if run.config.normalization == body.normalization]
    if body.experiment_id is None:
        runs = [run for run in runs if DATASETS[run.config.dataset].shows_digits]
    if not runs:
        asked = " that fits" if body.experiment_id or body.normalization else " that reads digits"
        raise NoTrainedModelError(
            f"No run{asked} has completed training; POST /experiments trains some, GET /experiments shows "
            "how far they are."
        )
    ranked = rank_runs(runs)
    is_selected = body.experiment_id is not None or body.normalization is not None
    return ranked if is_selected else ranked[:1]


def _view_reading(reading: Reading) -> ModelReading:
    config = reading.run.config
    return ModelReading(
        run_id=reading.run.id,
        label=config.label,
        digit=reading.digit,
        class_name=DATASETS[config.dataset].class_names[reading.digit],
        confidence=reading.confidence,
        probabilities=reading.probabilities,
    )


def _find_warnings(run: RunRecord) -> list[str]:
    info = DATASETS[run.config.dataset]
    if not info.shows_digits:
        return [f"Run {run.id} was trained on {info.title}: its answer is a class of that, not a digit."]
    if info.name == "digits":
        return [
            f"Run {run.id} learned from the {info.train_size:,} small embedded digits; one trained on MNIST "
            "reads better."
        ]
    return []
