"""Papers and light: what a camera sees besides the digit. Fields are (H, W), reflectance or light in 0–1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.floating[Any]]
Size = tuple[int, int]


def shade(size: Size, generator: np.random.Generator, *, darkest: float = 0.45) -> Field:
    """Light that falls off in one direction, down to ``darkest`` at most."""
    angle = generator.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    along = np.cos(angle) * rows / size[0] + np.sin(angle) * columns / size[1]
    along = (along - along.min()) / np.ptp(along)
    field: Field = 1 - along * (1 - generator.uniform(darkest, darkest + 0.25))
    return field


def cast_shadow(size: Size, generator: np.random.Generator) -> Field:
    """A shadow with a soft straight edge across the paper, as of a hand or a telephone."""
    angle = generator.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    through = (generator.uniform(0.25, 0.75) * size[0], generator.uniform(0.25, 0.75) * size[1])
    distance = np.cos(angle) * (rows - through[0]) + np.sin(angle) * (columns - through[1])
    softness = generator.uniform(0.01, 0.06) * max(size)
    depth = generator.uniform(0.3, 0.55)
    field: Field = 1 - depth / (1 + np.exp(-distance / softness))
    return field


def vignette(size: Size, generator: np.random.Generator) -> Field:
    """Corners darker than the middle, as of a lens or a lamp."""
    rows, columns = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    field: Field = 1 - generator.uniform(0.2, 0.35) * (rows**2 + columns**2)
    return np.maximum(field, 0.25)


def rule_lines(size: Size, generator: np.random.Generator, *, is_grid: bool) -> Field:
    """Reflectance of printed lines, or of squares, a little turned; the paper between them is 1."""
    pitch = generator.uniform(0.06, 0.16) * max(size)
    width = max(1.0, generator.uniform(0.003, 0.006) * max(size))
    darkness = generator.uniform(0.1, 0.35)
    angle = generator.uniform(-0.06, 0.06)
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]].astype(float)
    turned = [np.cos(angle) * rows + np.sin(angle) * columns, np.cos(angle) * columns - np.sin(angle) * rows]
    lines = np.zeros(size)
    for along in turned if is_grid else turned[:1]:
        nearest = np.abs((along + generator.uniform(0, pitch)) % pitch - pitch / 2)
        lines = np.maximum(lines, np.clip(width / 2 + 0.5 - nearest, 0, 1))
    return 1 - darkness * lines


def sprinkle(size: Size, generator: np.random.Generator, *, count: int, reach: float) -> Field:
    """Coverage of ``count`` specks, up to ``reach`` of the picture's side wide."""
    specks = np.zeros(size)
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    for _ in range(count):
        centre = generator.uniform(0, 1, 2) * size
        radius = generator.uniform(0.3, 1) * reach * max(size) / 2
        distance = np.hypot(rows - centre[0], columns - centre[1])
        specks = np.maximum(specks, np.clip(radius + 0.5 - distance, 0, 1))
    return specks


def lay_on_desk(paper: Field, generator: np.random.Generator) -> Field:
    """Show a dark desk beyond one or two edges of the paper."""
    rows, columns = np.mgrid[0 : paper.shape[0], 0 : paper.shape[1]].astype(float)
    grain = ndimage.gaussian_filter(generator.normal(0, 1, paper.shape), (1, 14))
    desk = generator.uniform(0.12, 0.35) + 0.25 * grain
    covered = np.zeros(paper.shape, dtype=bool)
    for _ in range(int(generator.integers(1, 3))):
        slope = generator.uniform(-0.08, 0.08)
        depth = generator.uniform(0.04, 0.12)
        along, across, length = (
            (rows, columns, paper.shape[0]) if generator.random() < 0.5 else (columns, rows, paper.shape[1])
        )
        edge = depth * length + slope * across
        covered |= (along < edge) if generator.random() < 0.5 else (length - along < edge)
    laid: Field = np.where(covered, np.clip(desk, 0.02, 1), paper)
    return laid
