"""Guards of requests: token, origin, host, size, content type."""

import hmac
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.exceptions import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.errors import CrossOriginError, TooLargeError, UnauthorizedError
from lab.settings import Settings
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

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self._app = app
        self._max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if length.isdecimal() and int(length) > self._max_body_size:
            await write_lab_error(self._make_error())(scope, receive, send)
            return
        num_read = 0

        async def receive_within_limit() -> Message:
            nonlocal num_read
            message = await receive()
            num_read += len(message.get("body", b""))
            if num_read > self._max_body_size:
                # The framework turns any other exception while reading a body into its own 400.
                raise HTTPException(413, str(self._make_error()))
            return message

        await self._app(scope, receive_within_limit, send)

    def _make_error(self) -> TooLargeError:
        return TooLargeError(
            f"The body of the request is too large; send at most {self._max_body_size:,} bytes "
            "(LAB_MAX_UPLOAD_BYTES)."
        )


class Guard:
    """A dependency that lets a request in, or raises."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.api_token
        # Without a token only this machine may send requests, and no web page open on it: a foreign host name
        # that resolves to 127.0.0.1 is refused.
        self._is_host_checked = settings.api_token is None and not settings.allow_no_token

    async def __call__(self, request: Request) -> None:
        """Check host, origin and token.

        Raises:
            CrossOriginError: a page of another site asks.
            UnauthorizedError: the token is missing or wrong.
        """
        if self._is_host_checked and request.url.hostname not in LOOPBACK_NAMES:
            raise CrossOriginError(
                f"The service answers to 127.0.0.1 and localhost, not to {request.url.hostname}; set "
                "LAB_API_TOKEN to let others in."
            )
        origin = request.headers.get("origin")
        is_foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
        if is_foreign and request.method not in SAFE_METHODS:
            raise CrossOriginError(f"A page of {origin} may not change anything here.")
        if self._token is not None and not self._has_token(request):
            raise UnauthorizedError(
                "This needs the header 'Authorization: Bearer <token>' with the token in LAB_API_TOKEN."
            )

    def _has_token(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expected = (self._token or "").encode()
        return scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected)
