"""The one family of errors a user can meet.

Every error carries a snake_case ``code``, the HTTP status it is answered with, and a sentence that says
what was wrong and what would be right. Routes raise them; ``service.errors`` writes the answer.
"""

from typing import ClassVar


class LabError(Exception):
    """Base of all errors meant for the user; ``str(error)`` is the sentence shown."""

    code: ClassVar[str] = "lab_error"
    http_status: ClassVar[int] = 500


class InvalidRequestError(LabError):
    """The request is well-formed HTTP but asks for something that cannot be."""

    code = "invalid_request"
    http_status = 422


class InvalidConfigError(InvalidRequestError):
    """A run or experiment configuration that could not be trained."""

    code = "invalid_config"


class InvalidImageError(InvalidRequestError):
    """The upload is not a picture, or holds nothing to read."""

    code = "invalid_image"


class InvalidTensorError(InvalidRequestError):
    """The appendix's input is not a finite (N, C, H, W) tensor of sensible size."""

    code = "invalid_tensor"


class TooLargeError(LabError):
    """The body or the picture in it is larger than the service reads."""

    code = "too_large"
    http_status = 413


class DatasetUnavailableError(LabError):
    """The data set's files are not there and cannot be downloaded."""

    code = "dataset_unavailable"
    http_status = 422


class NotFoundError(LabError):
    """No experiment, run or plot has that name."""

    code = "not_found"
    http_status = 404


class IdempotencyConflictError(LabError):
    """The Idempotency-Key was used before, for another request."""

    code = "idempotency_conflict"
    http_status = 409


class RunNotFinishedError(LabError):
    """The run exists but has not finished, so the requested result does not exist yet."""

    code = "run_not_finished"
    http_status = 409


class NoTrainedModelError(LabError):
    """Nothing that could read the digit has finished training."""

    code = "no_trained_model"
    http_status = 409


class UnauthorizedError(LabError):
    """The token is missing or wrong."""

    code = "unauthorized"
    http_status = 401


class CrossOriginError(LabError):
    """A page of another site tried to change something here."""

    code = "cross_origin"
    http_status = 403


class SettingsError(LabError):
    """The process was started with settings it must refuse."""

    code = "invalid_settings"


class DatabaseUnavailableError(LabError):
    """The database cannot be read or written at present; nothing of it is lost."""

    code = "database_unavailable"
    http_status = 503


class DatabaseVersionError(LabError):
    """The database was written by a newer version of this software."""

    code = "database_version"
