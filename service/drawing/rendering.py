"""Render matplotlib figures to bytes, one at a time."""

import io
import threading
from typing import Literal, get_args

import matplotlib
from fastapi import Response
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

ImageFormat = Literal["png", "svg", "pdf"]
IMAGE_FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
MEDIA_TYPES: dict[ImageFormat, str] = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
}
PNG_DPI = 144

# Neither the time of drawing nor random ids go into a file. PNG text chunks may not be None.
_METADATA: dict[ImageFormat, dict[str, None]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}
# matplotlib's font cache, mathtext parser and rcParams are shared and not thread-safe.
drawing = threading.Lock()


def render(figure: Figure, *, image_format: ImageFormat) -> bytes:
    """Render the figure; equal figures give equal bytes, since no date is written."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    # SVG text as paths looks the same where the font is missing; PDF text stays text that can be searched.
    with (
        drawing,
        matplotlib.rc_context(
            {"svg.hashsalt": "normalization-lab", "svg.fonttype": "path", "pdf.fonttype": 42}
        ),
    ):
        figure.savefig(
            buffer, format=image_format, dpi=PNG_DPI, metadata=_METADATA[image_format], facecolor="white"
        )
    return buffer.getvalue()


def respond_with_figure(figure: Figure, *, image_format: ImageFormat = "png") -> Response:
    """Draw the figure as the body of a response."""
    return Response(render(figure, image_format=image_format), media_type=MEDIA_TYPES[image_format])
