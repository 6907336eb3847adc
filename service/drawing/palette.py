"""The look of configurations, the same in every figure: color by normalization, line style by penalty."""

import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Okabe and Ito's set, told apart by color-blind readers; its yellow and orange are too faint on white.
NORMALIZATION_COLORS: dict[str, str] = {
    "batch": "#0072B2",
    "group": "#009E73",
    "layer": "#D55E00",
    "instance": "#CC79A7",
    "none": "#000000",
}
OTHER_COLOR = "#56B4E9"

DashPattern = tuple[float, tuple[float, ...]]
SOLID: DashPattern = (0, ())
PENALTY_DASHES: dict[str, DashPattern] = {
    "none": SOLID,
    "l1": (0, (5, 1.6)),
    "l2": (0, (1.4, 1.4)),
    "l1+l2": (0, (6, 1.6, 1.4, 1.6)),
}
OTHER_DASHES: DashPattern = (0, (3, 1, 1, 1, 1, 1))

MARKERS: tuple[str, ...] = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")


@dataclass(frozen=True, kw_only=True)
class LineStyle:
    """The look of one configuration; ``linestyle`` is matplotlib's (offset, on-off lengths)."""

    color: str
    linestyle: DashPattern
    marker: str

    def to_keywords(self, *, is_thin: bool = False) -> dict[str, Any]:
        """Keywords for a matplotlib line; a thin one is a single seed behind the mean of several."""
        width: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.4, "markersize": 3} if is_thin else {}
        look = {"color": self.color, "linestyle": self.linestyle, "marker": self.marker}
        return {"linewidth": 1.8, "markersize": 5.5, **look, **width}


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A configuration: label, normalization and penalty."""

    label: str
    normalization: str
    penalty: str


def name_normalization(normalization: str) -> str:
    """The normalization in a legend."""
    return "no norm" if normalization == "none" else normalization


def style_line(normalization: str, penalty: str, *, label: str = "") -> LineStyle:
    """The look of a configuration, whatever else is shown.

    The marker follows from the label alone, so that configurations of one normalization and penalty look
    different; an unknown normalization or penalty gets its own look.
    """
    return LineStyle(
        color=NORMALIZATION_COLORS.get(normalization, OTHER_COLOR),
        linestyle=PENALTY_DASHES.get(penalty, OTHER_DASHES),
        marker=MARKERS[_choose_marker(label)],
    )


def style_configurations(configurations: Iterable[Configuration]) -> dict[Configuration, LineStyle]:
    """Style each configuration so that no two look alike while markers last.

    Only configurations of one normalization and penalty compete for a marker, so that leaving out other
    normalizations changes no other look.
    """
    rivals: defaultdict[tuple[str, str], set[Configuration]] = defaultdict(set)
    for configuration in configurations:
        rivals[configuration.normalization, configuration.penalty].add(configuration)
    styles: dict[Configuration, LineStyle] = {}
    for (normalization, penalty), group in rivals.items():
        taken: set[int] = set()
        for configuration in sorted(group, key=lambda rival: rival.label):
            marker = _choose_marker(configuration.label)
            while marker in taken and len(taken) < len(MARKERS):
                marker = (marker + 1) % len(MARKERS)
            taken.add(marker)
            look = style_line(normalization, penalty)
            styles[configuration] = LineStyle(
                color=look.color, linestyle=look.linestyle, marker=MARKERS[marker]
            )
    return styles


def style_subset(subset: str, configuration: Configuration) -> LineStyle:
    """The look of one run's training, validation or test line; test keeps the configuration's look."""
    if subset == "train":
        return LineStyle(color="#5B636B", linestyle=SOLID, marker=".")
    if subset == "validation":
        return LineStyle(color="#E69F00", linestyle=SOLID, marker="d")
    return style_configurations([configuration])[configuration]


def pick_text_color(background: str) -> str:
    """Black or white, whichever is read more easily on the color ``#RRGGBB``."""
    channels = [int(background[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"


def _choose_marker(label: str) -> int:
    return zlib.crc32(label.encode()) % len(MARKERS) if label else 0
