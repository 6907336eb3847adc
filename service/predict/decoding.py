"""Picture files of any common format → grey levels, upright and small."""

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, features

from lab.errors import InvalidImageError, TooLargeError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", *(("AVIF",) if features.check("avif") else ()))
MAX_MEGAPIXELS = 25
# A JPEG is decoded at an eighth to a half of its size, so that a telephone's 48 megapixels cost no more.
MAX_JPEG_MEGAPIXELS = 64
DRAFT_MEGAPIXELS = 2
WORKING_SIZE = 512
DEPTHS = (255, 1023, 4095, 16_383, 65_535)
"""Greatest values of 8, 10, 12, 14 and 16 bits."""
# The EXIF tag, and its values that turn the picture by 90 degrees.
ORIENTATION, TURNED_ORIENTATIONS = 0x0112, (5, 6, 7, 8)
# Grey that spreads less is given up for the colour axis that spreads at least twice as much.
MIN_GRAY_SPREAD = 0.25
MIN_COLOR_SPREAD = 0.1
MIN_STICKER_CONTRAST = 0.25

_SIGNATURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

Gray = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class DecodedPicture:
    """Grey levels 0–1, (H, W), upright and at most ``WORKING_SIZE`` a side.

    ``width`` and ``height`` are those of the upright picture itself.
    """

    gray: Gray
    width: int
    height: int
    steps: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def decode_picture(data: bytes) -> DecodedPicture:
    """Decode a picture file.

    Raises:
        InvalidImageError: not a picture that can be read.
        TooLargeError: more pixels than are read.
    """
    if not data:
        raise InvalidImageError(f"The upload is empty; send a picture ({', '.join(FORMATS)}).")
    warnings = []
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        steps = [f"read {picture.format} of {picture.width}×{picture.height}"]
        # A telephone's MPO has a preview of itself.
        if getattr(picture, "is_animated", False) and picture.format != "MPO":
            warnings.append("The file has several pictures; the first is read.")
        width, height = picture.size
        _check_size(picture)
        if picture.getexif().get(ORIENTATION, 1) in TURNED_ORIENTATIONS:
            width, height = height, width
        if picture.width * picture.height > DRAFT_MEGAPIXELS * 1_000_000:
            picture.draft(None, (WORKING_SIZE, WORKING_SIZE))
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    except TooLargeError:
        raise
    except Image.DecompressionBombError as error:
        raise TooLargeError(
            f"The picture is too large; send one of at most {MAX_MEGAPIXELS} million pixels."
        ) from error
    # Pillow's decoders raise almost anything for broken bytes.
    except Exception as error:
        raise _refuse(data) from error
    try:
        gray = _to_gray(upright, steps)
    except (OSError, ValueError) as error:
        raise InvalidImageError(
            f"A picture of colour mode {upright.mode} cannot be read; save it as grey or RGB."
        ) from error
    return DecodedPicture(gray=gray, width=width, height=height, steps=steps, warnings=warnings)


def _check_size(picture: Image.Image) -> None:
    limit = MAX_JPEG_MEGAPIXELS if picture.format in ("JPEG", "MPO") else MAX_MEGAPIXELS
    if picture.width * picture.height > limit * 1_000_000:
        raise TooLargeError(
            f"The picture has {picture.width}×{picture.height} pixels; send one of at most {limit} million "
            "pixels."
        )


def _refuse(data: bytes) -> InvalidImageError:
    """The error for bytes that cannot be decoded; it names the cause where the first bytes show it."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return InvalidImageError(
            "The picture is a HEIC file, which cannot be read here; save or export it as JPEG (on an iPhone: "
            "Settings, Camera, Formats, Most Compatible)."
        )
    names = [name for signature, name in _SIGNATURES.items() if data.startswith(signature)]
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        names.append("WEBP")
    if data[4:12] == b"ftypavif":
        names.append("AVIF")
    if names:
        return InvalidImageError(
            f"The {names[0]} picture is truncated or damaged: it cannot be decoded; send the whole file."
        )
    return InvalidImageError(
        f"The upload is not a picture that can be read; send one of {', '.join(FORMATS)}."
    )


def _to_gray(picture: Image.Image, steps: list[str]) -> Gray:
    if picture.mode.startswith(("I", "F")):
        return _scale_depth(picture)
    picture.thumbnail((WORKING_SIZE, WORKING_SIZE), Image.Resampling.BOX)
    if picture.has_transparency_data:
        return _flatten(picture, steps)
    gray = np.asarray(picture.convert("L"), dtype=np.float32) / 255
    if picture.mode in ("1", "L"):
        return gray
    colors = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return _separate_colors(gray, colors, steps)


def _scale_depth(picture: Image.Image) -> Gray:
    """Scale integers by the depth that their maximum shows, and floats past 1 by their maximum."""
    values = np.asarray(picture)
    factor = min(max(values.shape) // (2 * WORKING_SIZE), *values.shape)
    if factor > 1:
        # The mean of blocks takes a fraction of the time that all of a large picture in floats would.
        height, width = (side // factor for side in values.shape)
        blocks = values[: height * factor, : width * factor].reshape(height, factor, width, factor)
        values = blocks.mean(axis=(1, 3), dtype=np.float32)
    values = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    values -= min(0.0, float(values.min()))
    highest = float(values.max())
    if picture.mode == "F":
        values /= max(highest, 1.0)
    else:
        values /= next((depth for depth in DEPTHS if highest <= depth), highest)
    small = Image.fromarray(values)
    small.thumbnail((WORKING_SIZE, WORKING_SIZE), Image.Resampling.BOX)
    return np.asarray(small)


def _flatten(picture: Image.Image, steps: list[str]) -> Gray:
    """Lay a transparent picture on paper: opaque strokes on black or white, a sticker on its own colour."""
    layers = np.asarray(picture.convert("LA"), dtype=np.float32) / 255
    gray, alpha = layers[..., 0], layers[..., 1]
    opaque = gray[alpha > 0.99]
    if opaque.size and alpha.min() < 0.5 and np.ptp(np.percentile(opaque, (1, 99))) > MIN_STICKER_CONTRAST:
        steps.append("laid on its own ground: a sticker on a transparent surround")
        paper = float(np.median(opaque))
    else:
        # White ink on nothing would vanish on white paper.
        ink_is_light = bool((gray * alpha).sum() > 0.5 * max(alpha.sum(), 1e-6))
        paper = 0.0 if ink_is_light and alpha.min() < 0.5 else 1.0
    return gray * alpha + paper * (1 - alpha)


def _separate_colors(gray: Gray, colors: Gray, steps: list[str]) -> Gray:
    """Return ``gray``, or, where it shows little, brightness along the colours' axis of greatest spread."""
    if np.ptp(gray) >= MIN_GRAY_SPREAD:
        return gray
    flat = colors.reshape(-1, 3) - colors.mean(axis=(0, 1))
    axis = np.linalg.eigh(flat.T @ flat)[1][:, -1]
    levels = (colors @ axis.astype(np.float32)) / np.float32(np.sqrt(3))
    low, high = np.percentile(levels, (0.1, 99.9))
    if high - low < max(MIN_COLOR_SPREAD, 2 * float(np.ptp(gray))):
        return gray
    steps.append("told apart by colour: ink and paper are equally bright")
    spread: Gray = np.clip((levels - low) / (high - low), 0, 1)
    return spread
