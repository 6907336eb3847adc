"""The dashboard as a browser gets it: its own files always fresh, plotly kept for good, all compressed."""

import functools
import gzip
from pathlib import Path
from typing import Annotated, Any

import plotly
from fastapi import FastAPI, Header
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware

DASHBOARD_DIR = Path(__file__).parent / "dashboard"
PLOTLY_FILE = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
# The version is in the address, so that a browser may keep the file without ever asking again.
PLOTLY_ADDRESS = f"/plotly-{plotly.__version__}.min.js"
# Plotly adds two style sheets to a page: an empty one that it fills by script, and one for maps, never used.
PLOTLY_STYLES = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
    "'sha256-V2sIX92Uh6ZaGSFTKMHghsB85b9toJtmazgG09AI2uk='",
)
POLICY = "; ".join(
    (
        "default-src 'self'",
        f"style-src 'self' {' '.join(PLOTLY_STYLES)}",
        "img-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LEAST_COMPRESSED_BYTES = 500


class _Files(StaticFiles):
    """Files that a browser revalidates each time, so that it never mixes modules of two versions."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(HEADERS)
        return response


def serve_dashboard(app: FastAPI) -> None:
    """Add the page at ``/``, its files under ``/dashboard`` and plotly's at ``PLOTLY_ADDRESS``."""

    @app.get("/", include_in_schema=False)
    def show_dashboard() -> HTMLResponse:
        page = (DASHBOARD_DIR / "index.html").read_text().replace("PLOTLY_ADDRESS", PLOTLY_ADDRESS)
        return HTMLResponse(page, headers=HEADERS)

    @app.get(PLOTLY_ADDRESS, include_in_schema=False)
    def show_plotly(accept_encoding: Annotated[str, Header()] = "") -> Response:
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if "gzip" in accept_encoding:
            content, headers["Content-Encoding"] = _compress_plotly(), "gzip"
        else:
            content = PLOTLY_FILE.read_bytes()
        return Response(content, media_type="text/javascript", headers=headers)

    files = GZipMiddleware(_Files(directory=DASHBOARD_DIR), minimum_size=LEAST_COMPRESSED_BYTES)
    app.mount("/dashboard", files, name="dashboard")


@functools.cache
def _compress_plotly() -> bytes:
    return gzip.compress(PLOTLY_FILE.read_bytes(), 9)
