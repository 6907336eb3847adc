"""From a matplotlib figure to bytes, one figure at a time."""

import io
import threading
from typing import Literal, get_args

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

# matplotlib's font cache and mathtext parser are shared and not thread-safe.
_drawing = threading.Lock()


def render(figure: Figure, *, image_format: ImageFormat) -> bytes:
    """Draw the figure; the same figure gives the same bytes, since no date is written into the file."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    # PNG text chunks may not be None; SVG and PDF would otherwise carry the time of drawing.
    metadata = {} if image_format == "png" else {"Date": None} if image_format == "svg" else {"CreationDate": None}
    with _drawing:
        figure.savefig(buffer, format=image_format, dpi=PNG_DPI, metadata=metadata, facecolor="white")
    return buffer.getvalue()
