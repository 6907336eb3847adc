"""Tell ink from paper: which side of the ground it lies on and how strong it is, on even and uneven paper.

Even paper is subtracted. Uneven paper (light that falls off, shadows, printed lines) is estimated and divided
out, since a camera sees reflectance × light; ink is then what comes near the pen's own darkness.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from lab.errors import InvalidImageError
from service.predict.decoding import Gray
from service.predict.framing import INK_THRESHOLD, Number

BLANK = "The picture is blank: nothing on it stands out from its ground. Draw a digit."
MIN_CONTRAST = 0.1
FAINT_CONTRAST = 0.4
# Even paper: what of its border is no ink varies by less than this part of the contrast,
MAX_EVEN_SPREAD = 0.15
# and what is ink is about as dark as the pen: a stroke that touches the border, no shadow or printed line.
MIN_BORDER_INK = 0.75
RIM = 0.01
# More ink than this part of the picture may be a sheet of paper.
MAX_PLAIN_INK = 0.3
# if what is on the other side of its surroundings outweighs it so many times.
SHEET_RATIO = 2
# Ink all along the border and none within is an empty frame.
MIN_FRAME_CONTACT = 0.9
# Longer sides of the small copies on which surroundings and paper are estimated, and of the windows on them,
# both wider than any stroke.
MEDIAN_SIZE, MEDIAN_WINDOW = 32, 13
PAPER_SIZE, PAPER_WINDOW = 128, 33
# The blur against noise, in parts of the picture's longer side.
BLUR = 0.004
# Hysteresis: ink reaches the low part of the pen's darkness, and somewhere the high one.
PEN_PERCENTILE = 99.8
MIN_INNER_PEN = 0.35
LOW_INK, HIGH_INK = 0.4, 0.65
# Places darker than this part of the bright paper are dark things; divided by, their noise would be ink.
DARKEST_SHADOW = 0.35
EIGHT_NEIGHBORS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, kw_only=True)
class Ink:
    """Ink on nothing: ``levels`` (H, W) are 0 on paper and 1 where it is strongest.

    ``contrast`` is its distance from the paper, in 0–1.
    """

    levels: Gray
    contrast: float
    is_dark: bool
    is_even: bool


def find_ink(gray: Gray) -> Ink:
    """Find the ink on grey levels 0–1.

    Raises:
        InvalidImageError: nothing stands out.
    """
    if float(np.ptp(gray)) < MIN_CONTRAST:
        raise InvalidImageError(BLANK)
    even = _subtract_even_paper(gray)
    ink = even if even.is_even else _divide_by_paper(gray)
    if ink.contrast < MIN_CONTRAST or not ink.levels.any():
        raise InvalidImageError(BLANK)
    return ink


def _subtract_even_paper(gray: Gray) -> Ink:
    """Stretch the border's median to 0 and the strongest ink to 1; what is fainter than a quarter becomes 0.

    ``is_even`` tells whether that was right: the border shows paper, and at most strokes that touch it.
    """
    ground = float(np.median(cut_border(gray)))
    # A single speck of noise must not decide.
    smooth = ndimage.gaussian_filter(gray, 0.8) if max(gray.shape) > 64 else gray
    is_dark = ground - float(smooth.min()) > float(smooth.max()) - ground
    ink = 1 - gray if is_dark else gray
    paper = 1 - ground if is_dark else ground
    contrast = float(ink.max()) - paper
    stretched = (ink - paper) / max(contrast, 1e-6)
    border = cut_border(stretched)
    is_ink = border > INK_THRESHOLD
    spread = np.ptp(np.percentile(border[~is_ink], (10, 90)))
    # A stroke may touch the border with its soft edge alone.
    rim = round(RIM * max(gray.shape)) + 1
    reached = cut_border(ndimage.maximum_filter(stretched, 2 * rim + 1))[is_ink]
    is_even = bool(spread <= MAX_EVEN_SPREAD and (not len(reached) or np.median(reached) >= MIN_BORDER_INK))
    levels: Gray = np.clip(stretched, 0, 1)
    levels[levels < INK_THRESHOLD] = 0
    if is_even and (len(reached) or (levels > 0).mean() > MAX_PLAIN_INK):
        # Perhaps a sheet stands out from a frame, a desk or a shadow, and the ink is on the sheet.
        darker, brighter = _measure_sides(gray)
        own, other = (darker, brighter) if is_dark else (brighter, darker)
        is_even = other < SHEET_RATIO * own
    return Ink(levels=levels, contrast=contrast, is_dark=is_dark, is_even=is_even)


def _divide_by_paper(gray: Gray) -> Ink:
    smooth = ndimage.gaussian_filter(gray, BLUR * max(gray.shape))
    darker, brighter = _measure_sides(smooth)
    is_dark = darker >= brighter
    paper = _estimate_paper(_resize(smooth, PAPER_SIZE), is_dark=is_dark)
    height, width = gray.shape
    paper = np.asarray(Image.fromarray(paper).resize((width, height), Image.Resampling.BILINEAR))
    strength = _measure_strength(smooth, paper, is_dark=is_dark)
    parts, is_inner = _find_parts(strength)
    pen = _measure_pen(strength, parts, is_inner)
    parts, count = ndimage.label(strength > LOW_INK * pen, EIGHT_NEIGHBORS)
    peaks = np.zeros(count + 1)
    np.maximum.at(peaks, parts.ravel(), strength.ravel())
    is_ink = (peaks > HIGH_INK * pen)[parts] & (parts > 0)
    levels = np.clip(strength / max(pen, 1e-6), 0, 1)
    # The soft edge of a stroke is part of it.
    levels = np.where(ndimage.binary_dilation(is_ink, EIGHT_NEIGHBORS), levels, 0)
    levels[levels < INK_THRESHOLD] = 0
    if (cut_border(levels) > 0).mean() > MIN_FRAME_CONTACT and not is_inner.any():
        raise InvalidImageError(BLANK)
    return Ink(levels=levels, contrast=pen, is_dark=is_dark, is_even=False)


def _measure_sides(gray: Gray) -> tuple[float, float]:
    """Sums of squares of what is darker, and of what is brighter, than its surroundings.

    Surroundings are local medians, of which strokes are the minority; deviations are in parts of the light.
    """
    small = _resize(gray, MEDIAN_SIZE)
    surroundings = ndimage.median_filter(small, _fit_window(MEDIAN_WINDOW, MEDIAN_SIZE, small))
    dark = _measure_strength(small, surroundings, is_dark=True)
    light = _measure_strength(small, surroundings, is_dark=False)
    return float((dark**2).sum()), float((light**2).sum())


def _estimate_paper(gray: Gray, *, is_dark: bool) -> Gray:
    """The paper without ink: strokes narrower than the window closed (or opened, if light), and blurred."""
    fill = ndimage.grey_closing if is_dark else ndimage.grey_opening
    window = _fit_window(PAPER_WINDOW, PAPER_SIZE, gray)
    filled = fill(ndimage.median_filter(gray, 3), window)
    # Beside a sheet's edge, what is no paper must not be brightened by it.
    limit = np.minimum if is_dark else np.maximum
    paper: Gray = limit(ndimage.gaussian_filter(filled, window / 6), filled)
    return paper


def _measure_strength(gray: Gray, paper: Gray, *, is_dark: bool) -> Gray:
    """The part of the light that the darker of ink and paper lacks, 0–1."""
    floor = DARKEST_SHADOW * float(np.percentile(paper, 90))
    brighter, darker = (paper, gray) if is_dark else (gray, paper)
    strength: Gray = np.clip((brighter - darker) / np.maximum(np.maximum(brighter, floor), 1e-6), 0, 1)
    return strength


def _find_parts(strength: Gray) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Number the strong parts, and tell by number those that do not hang on the border."""
    top = float(np.percentile(strength, PEN_PERCENTILE))
    parts, count = ndimage.label(strength > LOW_INK * top, EIGHT_NEIGHBORS)
    is_inner = np.ones(count + 1, dtype=bool)
    is_inner[cut_border(parts)] = False
    is_inner[0] = False
    return parts, is_inner


def _measure_pen(strength: Gray, parts: NDArray[np.int32], is_inner: NDArray[np.bool_]) -> float:
    """The strongest ink's strength, if there is any, that does not hang on the border."""
    pen = float(np.percentile(strength, PEN_PERCENTILE))
    inner = float(np.percentile(np.where(is_inner[parts], strength, 0), PEN_PERCENTILE))
    return inner if inner > MIN_INNER_PEN * pen else pen


def _resize(gray: Gray, size: int) -> NDArray[np.float32]:
    picture = Image.fromarray(gray.astype(np.float32))
    picture.thumbnail((size, size), Image.Resampling.BOX)
    return np.asarray(picture)


def _fit_window(window: int, size: int, gray: Gray) -> int:
    """The window for a picture smaller than ``size``, in proportion and odd."""
    side: int = max(gray.shape)
    return 2 * round(window * side / size / 2 - 0.5) + 1


def cut_border(levels: NDArray[Number]) -> NDArray[Number]:
    """The outermost rows and columns, one after the other."""
    return np.concatenate((levels[0], levels[-1], levels[:, 0], levels[:, -1]))
