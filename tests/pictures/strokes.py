"""Digits and letters as pen strokes, drawn with a hand's variation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.interpolate import CubicSpline

Coverage = NDArray[np.floating[Any]]
"""Ink on paper, (H, W), from 0 to 1."""
Stroke = tuple[tuple[float, float], ...]

OVERSAMPLING = 3
SHAKE = 0.022

# Points (x, y) of each stroke in a box 0.7 wide and 1 high, some written in several ways: curves and lines.
CURVES: dict[str, list[list[Stroke]]] = {
    "0": [
        [
            (
                (0.35, 0),
                (0.08, 0.2),
                (0.02, 0.55),
                (0.2, 0.95),
                (0.5, 0.95),
                (0.68, 0.55),
                (0.6, 0.15),
                (0.35, 0),
            )
        ],
        [
            (
                (0.4, 0.02),
                (0.12, 0.12),
                (0, 0.5),
                (0.15, 0.9),
                (0.45, 0.98),
                (0.7, 0.6),
                (0.62, 0.15),
                (0.3, 0),
            )
        ],
    ],
    "1": [[((0.36, 0), (0.34, 0.5), (0.33, 1))], [((0.5, 0), (0.4, 0.5), (0.3, 1))]],
    "2": [
        [
            ((0.05, 0.25), (0.2, 0.03), (0.5, 0.03), (0.6, 0.3), (0.35, 0.65), (0.02, 0.97)),
            ((0.02, 0.97), (0.65, 0.95)),
        ],
        [
            ((0.05, 0.2), (0.35, 0), (0.62, 0.2), (0.45, 0.55), (0.05, 0.95)),
            ((0.05, 0.95), (0.35, 0.93), (0.68, 0.98)),
        ],
    ],
    "3": [
        [
            ((0.08, 0.12), (0.35, 0), (0.6, 0.18), (0.5, 0.42), (0.28, 0.48)),
            ((0.28, 0.48), (0.6, 0.58), (0.62, 0.85), (0.3, 1), (0.03, 0.88)),
        ],
    ],
    "5": [
        [
            ((0.14, 0.04), (0.1, 0.42)),
            ((0.1, 0.42), (0.4, 0.36), (0.64, 0.62), (0.5, 0.95), (0.2, 1), (0.02, 0.88)),
            ((0.14, 0.04), (0.62, 0.03)),
        ],
        [
            ((0.16, 0.06), (0.1, 0.46)),
            ((0.1, 0.46), (0.42, 0.4), (0.62, 0.66), (0.42, 0.97), (0.05, 0.95)),
            ((0.2, 0.05), (0.66, 0)),
        ],
    ],
    "6": [
        [
            (
                (0.5, 0),
                (0.2, 0.25),
                (0.05, 0.65),
                (0.2, 0.97),
                (0.5, 0.95),
                (0.62, 0.7),
                (0.4, 0.52),
                (0.1, 0.68),
            )
        ],
    ],
    "8": [
        [
            (
                (0.55, 0.12),
                (0.3, 0),
                (0.1, 0.18),
                (0.3, 0.45),
                (0.58, 0.72),
                (0.35, 1),
                (0.08, 0.8),
                (0.3, 0.48),
                (0.56, 0.22),
                (0.55, 0.12),
            )
        ],
    ],
    "9": [
        [
            ((0.58, 0.2), (0.32, 0.02), (0.06, 0.25), (0.25, 0.5), (0.55, 0.3), (0.6, 0.15)),
            ((0.6, 0.15), (0.57, 0.55), (0.5, 1)),
        ],
    ],
    "C": [[((0.65, 0.15), (0.4, 0), (0.1, 0.25), (0.08, 0.7), (0.4, 1), (0.66, 0.85))]],
    "R": [
        [((0.1, 1), (0.1, 0)), ((0.1, 0), (0.5, 0.05), (0.55, 0.35), (0.1, 0.5)), ((0.25, 0.5), (0.65, 1))]
    ],
    "U": [[((0.05, 0), (0.08, 0.7), (0.35, 1), (0.6, 0.7), (0.64, 0))]],
}
LINES: dict[str, list[list[Stroke]]] = {
    "4": [
        [((0.45, 0), (0.02, 0.65), (0.7, 0.65)), ((0.5, 0.35), (0.48, 1))],
        [((0.12, 0.02), (0.08, 0.5), (0.62, 0.52)), ((0.6, 0.05), (0.56, 1))],
    ],
    "7": [[((0.04, 0.04), (0.62, 0.03), (0.28, 1))], [((0.02, 0.06), (0.66, 0.02), (0.4, 0.5), (0.3, 1))]],
    "A": [[((0, 1), (0.35, 0), (0.7, 1)), ((0.12, 0.65), (0.58, 0.65))]],
    "E": [[((0.6, 0), (0.08, 0), (0.08, 1), (0.62, 1)), ((0.08, 0.5), (0.5, 0.5))]],
    "F": [[((0.6, 0), (0.08, 0), (0.08, 1)), ((0.08, 0.48), (0.5, 0.48))]],
    "H": [[((0.05, 0), (0.05, 1)), ((0.65, 0), (0.65, 1)), ((0.05, 0.5), (0.65, 0.5))]],
    "K": [[((0.08, 0), (0.08, 1)), ((0.62, 0), (0.1, 0.55)), ((0.25, 0.45), (0.65, 1))]],
    "M": [[((0, 1), (0.05, 0), (0.35, 0.6), (0.65, 0), (0.7, 1))]],
    "N": [[((0.05, 1), (0.05, 0), (0.62, 1), (0.62, 0))]],
    "W": [[((0, 0), (0.18, 1), (0.35, 0.4), (0.52, 1), (0.7, 0))]],
    "X": [[((0.05, 0), (0.62, 1)), ((0.62, 0), (0.05, 1))]],
}
DIGITS = tuple("0123456789")
LETTERS = tuple("ACEFHKMNRUWX")


def draw_glyph(name: str, *, height: int, pen: float, generator: np.random.Generator) -> Coverage:
    """Draw a digit or letter ``height`` pixels tall with a round pen ``pen`` pixels wide, tightly cut out.

    Each is slanted, stretched and shaken a little.
    """
    ways = CURVES.get(name) or LINES[name]
    strokes = ways[int(generator.integers(len(ways)))]
    slant, width = generator.uniform(-0.18, 0.18), generator.uniform(0.8, 1.15)
    paths = []
    for stroke in strokes:
        points = np.array(stroke) + generator.normal(0, SHAKE, (len(stroke), 2))
        points[:, 0] = points[:, 0] * width - slant * (points[:, 1] - 0.5)
        paths.append(_smooth(points) if name in CURVES and len(points) > 2 else points)
    return draw_paths(paths, height=height, pen=pen)


def draw_paths(paths: Sequence[Coverage], *, height: int, pen: float) -> Coverage:
    """Draw paths of points (x, y), 1 being ``height`` pixels, with a round pen, tightly cut out."""
    scale = height * OVERSAMPLING
    margin = round(pen * OVERSAMPLING) + 2
    low = np.min([path.min(axis=0) for path in paths], axis=0)
    placed = [(path - low) * scale + margin for path in paths]
    right, bottom = np.max([path.max(axis=0) for path in placed], axis=0) + margin
    canvas = Image.new("L", (int(right) + 1, int(bottom) + 1))
    brush = ImageDraw.Draw(canvas)
    radius = pen * OVERSAMPLING / 2
    for path in placed:
        brush.line([tuple(point) for point in path], fill=255, width=max(1, round(2 * radius)), joint="curve")
        for x, y in (path[0], path[-1]):
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    small = canvas.resize(
        (max(1, canvas.width // OVERSAMPLING), max(1, canvas.height // OVERSAMPLING)), Image.Resampling.BOX
    )
    return crop(np.asarray(small, dtype=np.float64) / 255)


def crop(coverage: Coverage) -> Coverage:
    """Cut empty rows and columns off."""
    rows, columns = np.nonzero(coverage > 0.1)
    return coverage[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def enlarge(pixels: NDArray[np.uint8], *, height: int) -> Coverage:
    """Enlarge a digit of MNIST (28, 28) to ``height`` pixels, with sharp edges, tightly cut out."""
    factor = height / 20
    side = max(28, round(28 * factor))
    large = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    levels = np.asarray(large, dtype=np.float64) / 255
    return crop(np.clip((levels - 0.5) * max(1.0, factor / 2) + 0.5, 0, 1))


def _smooth(points: Coverage) -> Coverage:
    lengths = np.r_[0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    smooth: Coverage = CubicSpline(lengths, points)(np.linspace(0, lengths[-1], 60))
    return smooth
