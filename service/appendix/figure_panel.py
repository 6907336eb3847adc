"""The layout of one normalization's panel in the appendix's figure."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product

from service.appendix.notation import has_short_decimal, write_decimal, write_minus
from service.appendix.statistics import Appendix, Normalization, StatisticsSet
from service.appendix.tensor import Sample, Shape

# Inches, but for the two font sizes, which are points.
PAD = 0.07
GAP = 0.24
TITLE_HEIGHT = 0.85
ROW_LABEL = 0.72
LEAST_WIDTH = 3.4
LABEL_SIZE, FIGURES_SIZE = 9.5, 8.5
_LINE = 0.19
_CELL_SIZE, _LARGEST_CELL_SIZE = 7.5, 11.0


@dataclass(frozen=True)
class Panel:
    """The blocks of one normalization, in inches on the sheet; ``origin`` is the top left corner."""

    sample: Sample
    sets: tuple[StatisticsSet, ...]
    cell: float
    cell_size: float
    origin: tuple[float, float] = (0.0, 0.0)

    @property
    def shape(self) -> Shape:
        """(N, C, H, W)."""
        return self.sample.shape

    @cached_property
    def figures(self) -> tuple[str, ...]:
        """The mean and variance written below the blocks of each set."""
        return _fit_figures(self.sets, width=self.extent(self.sets[0])[1])

    @property
    def strip(self) -> float:
        """Height of the numbers in a frame."""
        lines = self.figures[0].count("\n") + 1
        return lines * _LINE + 0.07 if self.figures[0] else 0.0

    @property
    def is_columns(self) -> bool:
        """True if a set spans all images, so that its numbers are written once below the grid."""
        return len(self.sets[0].images) > 1

    def left(self, channel: int) -> float:
        """Left edge of a channel's blocks."""
        return self.origin[0] + ROW_LABEL + channel * (self.shape[3] * self.cell + GAP)

    def top(self, image: int) -> float:
        """Top edge of an image's blocks."""
        strip = 0 if self.is_columns else self.strip
        return self.origin[1] + TITLE_HEIGHT + image * (self.shape[2] * self.cell + GAP + strip)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, labels included."""
        below = self.strip if self.is_columns else 0
        width = self.left(self.shape[1]) - self.origin[0] - GAP + PAD
        return max(width, LEAST_WIDTH), self.top(self.shape[0]) - self.origin[1] - GAP + below + PAD

    def frame(self, one: StatisticsSet) -> tuple[float, float, float, float]:
        """Left, top, width and height of the frame around a set's blocks and numbers."""
        (left, width), top = self.extent(one), self.top(one.images[0]) - PAD
        bottom = self.top(one.images[-1]) + self.shape[2] * self.cell + self.strip + PAD
        return left, top, width, bottom - top

    def extent(self, one: StatisticsSet) -> tuple[float, float]:
        """Left and width of a set's frame."""
        left = self.left(one.channels[0]) - PAD
        return left, self.left(one.channels[-1]) + self.shape[3] * self.cell + PAD - left


def plan_panel(appendix: Appendix, name: Normalization) -> Panel:
    """Choose the cell size by the longest number of the tensor, so that all panels of a figure agree."""
    images, channels, rows, columns = appendix.sample.shape
    small, large = (0.36, 0.5) if max(images * rows, channels * columns) <= 16 else (0.27, 0.36)
    widest = max(measure(write_cell(appendix.sample.pixel(at))) for at in appendix.sample.all_positions())
    cell = min(max(small, widest * _CELL_SIZE * 1.15 / 72), large)
    return Panel(
        sample=appendix.sample,
        sets=appendix.sets[name],
        cell=cell,
        cell_size=min(_LARGEST_CELL_SIZE, cell * 72 / (widest * 1.15)),
    )


def _fit_figures(sets: tuple[StatisticsSet, ...], *, width: float) -> tuple[str, ...]:
    """Write every set's mean and variance as exactly as fits the width for all; empty if nothing fits."""
    for write, between in product((_write_exact, _write_rounded), ("    ", "\n")):
        texts = tuple(f"{write('μ', one.mean)}{between}{write('σ²', one.variance)}" for one in sets)
        lines = [line for text in texts for line in text.split("\n")]
        if max(map(measure, lines)) * FIGURES_SIZE / 72 <= width:
            return texts
    return ("",) * len(sets)


def _write_exact(name: str, value: Fraction) -> str:
    text = write_decimal(value)
    return write_minus(f"{name} {'=' if has_short_decimal(value) else '≈'} {text}")


def _write_rounded(name: str, value: Fraction) -> str:
    text = _round(value, digits=4)
    return write_minus(f"{name} {'=' if Fraction(text) == value else '≈'} {text}")


def measure(text: str) -> float:
    """Estimate the width in ems, a little generously, for matplotlib's own font."""
    return sum(0.84 if character in "−=≈" else 0.33 if character in ". " else 0.64 for character in text)


def write_cell(value: Fraction) -> str:
    """Write about four characters: integers below 10,000 whole, others with three digits."""
    return write_minus(_shorten(value))


def is_shortened(value: Fraction) -> bool:
    """Return whether a cell shows the value with fewer digits than it has."""
    return Fraction(_shorten(value)) != value


def _shorten(value: Fraction) -> str:
    is_whole = value.denominator == 1 and abs(value) < 10_000
    return str(value) if is_whole else _round(value, digits=3)


def _round(value: Fraction, *, digits: int) -> str:
    return f"{float(value):.{digits}g}".replace("e+0", "e").replace("e-0", "e-")
