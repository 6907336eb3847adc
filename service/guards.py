"""Guards of requests: token, origin, host, size, content type."""

import hmac
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.exceptions import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.errors import CrossOriginError, TooLargeError, UnauthorizedError
from service.dependencies import ResourcesDep
from service.errors import write_lab_error

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1", "testserver")
UNLABELLED_TYPES = ("", "application/x-www-form-urlencoded", "text/plain")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class JsonByDefault:
    """Reads a body that names no type, or curl's default one for ``-d``, as JSON: no route takes a form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = MutableHeaders(scope=scope)
            if headers.get("content-type", "").partition(";")[0] in UNLABELLED_TYPES:
                headers["content-type"] = "application/json"
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses a body over the limit: by its announced length at once, or else when it turns out longer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = scope["app"].state.resources.settings.max_upload_bytes
        error = TooLargeError(
            f"The body of the request is too large; send at most {max_bytes:,} bytes (LAB_MAX_UPLOAD_BYTES)."
        )
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > max_bytes:
            await write_lab_error(error)(scope, receive, send)
            return
        num_read = 0

        async def receive_within_limit() -> Message:
            nonlocal num_read
            message = await receive()
            num_read += len(message.get("body", b""))
            if num_read > max_bytes:
                # The framework turns any other exception while reading a body into its own 400.
                raise HTTPException(413, str(error))
            return message

        await self._app(scope, receive_within_limit, send)


async def guard(request: Request, resources: ResourcesDep) -> None:
    """Check host, origin and token.

    Without a token only this machine may send requests, and no web page open on it: a foreign host name that
    resolves to 127.0.0.1 is refused.

    Raises:
        CrossOriginError: a page of another site asks.
        UnauthorizedError: the token is missing or wrong.
    """
    token, host = resources.settings.api_token, request.url.hostname
    if token is None and not resources.settings.allow_no_token and host not in LOOPBACK_NAMES:
        raise CrossOriginError(
            f"The service answers to 127.0.0.1 and localhost, not to {host}; set LAB_API_TOKEN to let others "
            "in."
        )
    origin = request.headers.get("origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_foreign and request.method not in SAFE_METHODS:
        raise CrossOriginError(f"A page of {origin} may not change anything here.")
    if token is not None and not _has_token(request, token):
        raise UnauthorizedError(
            "This needs the header 'Authorization: Bearer <token>' with the token in LAB_API_TOKEN."
        )


def _has_token(request: Request, expected: str) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected.encode())
