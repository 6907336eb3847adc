"""Pixels and pictures as text that a page or a JSON answer can hold."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_png_url(pixels: NDArray[np.uint8]) -> str:
    """Grey pixels (H, W) as the ``data:`` address of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return write_data_url(buffer.getvalue(), media_type="image/png")


def write_data_url(content: bytes, *, media_type: str) -> str:
    """A file's bytes as a ``data:`` address."""
    return f"data:{media_type};base64," + base64.b64encode(content).decode()
