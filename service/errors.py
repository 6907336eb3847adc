"""The one shape of every error: ``{"error": code, "detail": sentence}``."""

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError
from starlette.exceptions import HTTPException

from lab.database.engine import explain_database_error
from lab.errors import DatabaseUnavailableError, LabError

logger = logging.getLogger(__name__)

HTTP_CODES = {
    400: ("invalid_request", "The body of the request cannot be read; /docs shows what {path} takes."),
    404: ("not_found", "There is nothing at {path}; /docs lists what there is."),
    405: ("method_not_allowed", "{path} does not answer {method}; /docs lists what it answers."),
    413: ("too_large", "{detail}"),
}


def add_error_handlers(app: FastAPI) -> None:
    """Make ``app`` answer every error in the one shape."""

    @app.exception_handler(LabError)
    async def answer_lab_error(_request: Request, error: LabError) -> JSONResponse:
        return write_lab_error(error)

    @app.exception_handler(RequestValidationError)
    async def answer_validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        return write_error(422, "invalid_request", describe_validation_errors(error.errors()))

    @app.exception_handler(HTTPException)
    async def answer_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        code, sentence = HTTP_CODES.get(error.status_code, ("http_error", str(error.detail)))
        detail = sentence.format(path=request.url.path, method=request.method, detail=error.detail)
        headers = dict(error.headers) if error.headers else None
        return write_error(error.status_code, code, detail, headers=headers)

    @app.exception_handler(DatabaseError)
    async def answer_database_error(request: Request, error: DatabaseError) -> JSONResponse:
        if isinstance(error, (IntegrityError, ProgrammingError, DataError)):
            return await answer_unexpected(request, error)
        logger.error("The database cannot be used", exc_info=error)
        return write_lab_error(DatabaseUnavailableError(explain_database_error(error)))

    @app.exception_handler(Exception)
    async def answer_unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return write_error(
            500, "internal_error", "Something broke in the service; its log has the traceback."
        )


def write_lab_error(error: LabError) -> JSONResponse:
    """The answer to one of the lab's own errors."""
    headers = {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else None
    return write_error(error.http_status, error.code, str(error), headers=headers)


def write_error(
    status: int, code: str, detail: str, *, headers: dict[str, str] | None = None
) -> JSONResponse:
    """One error answer."""
    return JSONResponse({"error": code, "detail": detail}, status_code=status, headers=headers)


def describe_validation_errors(errors: Sequence[Any]) -> str:
    """Describe validation errors in sentences: the field, what is wrong, what would be right."""
    sentences = []
    for error in errors[:3]:
        where = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
        message = str(error["msg"]).removeprefix("Value error, ")
        if error["type"] == "json_invalid":
            where, message = "", f"The body is not valid JSON at character {where}: {error['ctx']['error']}"
        sentences.append(f"{where}: {message}." if where else f"{message}.")
    if len(errors) > 3:
        sentences.append(f"And {len(errors) - 3} more.")
    return " ".join(sentences)
