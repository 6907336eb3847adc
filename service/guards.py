"""Who may ask: token, origin and host; and what an unlabelled body is."""

import hmac
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from lab.errors import CrossOriginError, UnauthorizedError
from lab.settings import Settings

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1", "testserver")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class JsonByDefault:
    """Reads a body that names no type, or curl's default one for ``-d``, as JSON: no route takes a form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = MutableHeaders(scope=scope)
            if headers.get("content-type", "").startswith(
                ("application/x-www-form-urlencoded", "text/plain")
            ):
                headers["content-type"] = "application/json"
        await self._app(scope, receive, send)


class Guard:
    """A dependency that lets a request in, or raises."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.api_token
        # Without a token only this machine may ask, also by way of a web page that it has open: a name that
        # a stranger's server points at 127.0.0.1 is refused.
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
