"""The network as a drawing: one row of cells for each row of the study's table, top to bottom."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from lab.experiments.architecture import IMAGE_SIZE, NORMALIZATION_TYPES, LayerDescription
from service.drawing.canvas import FAINT_INK, INK, QUIET_INK, clean_text, draw_notice, start_canvas
from service.drawing.palette import NORMALIZATION_COLORS, SOLID, DashPattern, pick_text_color

WIDTH = 10.0
TOP = 1.4
PITCH = 0.66
CELL_HEIGHT = 0.46
FOOT = 1.2
"""Inches, as are all lengths here; the drawing is 1,440 pixels wide."""

MAP_CENTER, SHAPE_EDGE, PARAMETERS_EDGE, MULTIPLY_ADDS_EDGE = 6.98, 7.97, 8.82, 9.75
FLOW_COLOR = "#8A929A"


@dataclass(frozen=True)
class _Look:
    """Position and colors of one kind of cell."""

    left: float
    width: float
    face: str
    edge: str = "#B4BBC3"
    dashes: DashPattern = SOLID


LOOKS = {
    "pool": _Look(0.62, 0.86, "#FFF3B8", "#CDB84A"),
    "convolution": _Look(1.7, 1.42, "#E1E7EE"),
    "bare 1×1 convolution": _Look(1.7, 1.42, "#FFFFFF", "#7D8790", (0, (4, 2))),
    "normalization": _Look(3.34, 1.6, "#333333", "#333333"),
    "ReLU": _Look(5.16, 0.5, "#F3F4F6"),
    "dropout": _Look(5.88, 0.7, "#FFFFFF", "#B4BBC3", (0, (1, 1.5))),
    "log-softmax": _Look(5.16, 1.42, "#5B636B", "#5B636B"),
}
HEADED_KINDS = ("pool", "convolution", "normalization", "ReLU", "dropout")
KINDS = {
    "MaxPool2d": "pool",
    "AvgPool2d": "pool",
    "ReLU": "ReLU",
    "Dropout": "dropout",
    "LogSoftmax": "log-softmax",
    **dict.fromkeys(NORMALIZATION_TYPES.values(), "normalization"),
}
COLORS_BY_TYPE = {layer_type: NORMALIZATION_COLORS[name] for name, layer_type in NORMALIZATION_TYPES.items()}


def draw_architecture(layers: Sequence[LayerDescription], *, title: str) -> Figure:
    """The rows of the network with their cells, output shapes, parameters and multiply-adds, and the totals.

    The normalization stands out in the color it has in every other figure.
    """
    if not layers:
        return draw_notice(title, message="The network has no layers.")
    rows = [list(group) for _, group in groupby(layers, key=lambda layer: layer.row)]
    figure, canvas = start_canvas(WIDTH, TOP + PITCH * len(rows) + FOOT)
    centers = [TOP + PITCH * (index + 0.5) for index in range(len(rows))]
    _draw_heading(canvas, title, layers)
    _draw_connectors(canvas, rows, centers)
    for row, center in zip(rows, centers, strict=True):
        _draw_row(canvas, row, center)
    bottom = centers[-1] + PITCH / 2
    _draw_totals(canvas, layers, bottom + 0.28)
    _draw_legend(canvas, layers, bottom + 0.85)
    return figure


def _draw_heading(canvas: Axes, title: str, layers: Sequence[LayerDescription]) -> None:
    canvas.text(0.35, 0.38, clean_text(title, max_length=70), fontsize=15, va="center", color=INK)
    normalized = [layer for layer in layers if KINDS.get(layer.type) == "normalization"]
    rows = ", ".join(str(layer.row) for layer in normalized)
    words = f"{normalized[0].type} after the convolution of rows {rows}" if normalized else "No normalization"
    color = COLORS_BY_TYPE[normalized[0].type] if normalized else QUIET_INK
    canvas.text(0.35, 0.72, words, fontsize=10, va="center", color=color, weight="bold")
    for kind in HEADED_KINDS:
        center = LOOKS[kind].left + LOOKS[kind].width / 2
        canvas.text(center, TOP - 0.22, kind, ha="center", va="center", fontsize=8.5, color=QUIET_INK)
    heads = {"output C×H×W": SHAPE_EDGE, "parameters": PARAMETERS_EDGE, "multiply-adds": MULTIPLY_ADDS_EDGE}
    for head, edge in heads.items():
        canvas.text(edge, TOP - 0.22, head, ha="right", va="center", fontsize=8.5, color=QUIET_INK)


def _draw_row(canvas: Axes, row: Sequence[LayerDescription], center: float) -> None:
    for layer in row:
        _draw_cell(canvas, layer, center, kind=_name_kind(layer, row))
    canvas.text(
        0.25, center, str(row[0].row), ha="center", va="center", fontsize=11, color=QUIET_INK, weight="bold"
    )
    _draw_feature_map(canvas, row[-1].output_shape, center)
    shape = "×".join(map(str, row[-1].output_shape))
    parameters, normalized = _count_parameters(row)
    multiply_adds = sum(layer.multiply_adds for layer in row)
    lift = 0.07 if normalized else 0.0
    canvas.text(SHAPE_EDGE, center, shape, ha="right", va="center", fontsize=9, color=INK)
    canvas.text(
        PARAMETERS_EDGE, center - lift, f"{parameters:,}", ha="right", va="center", fontsize=9.5, color=INK
    )
    canvas.text(
        MULTIPLY_ADDS_EDGE, center, f"{multiply_adds:,}", ha="right", va="center", fontsize=9.5, color=INK
    )
    if normalized:
        words = f"incl. {normalized:,} γ, β"
        canvas.text(
            PARAMETERS_EDGE, center + 0.11, words, ha="right", va="center", fontsize=7, color=QUIET_INK
        )


def _draw_cell(canvas: Axes, layer: LayerDescription, center: float, *, kind: str) -> None:
    look = LOOKS[kind]
    face = COLORS_BY_TYPE.get(layer.type, look.face)
    is_normalization = kind == "normalization"
    height = CELL_HEIGHT + (0.08 if is_normalization else 0)
    canvas.add_patch(
        FancyBboxPatch(
            (look.left + 0.05, center - height / 2 + 0.05),
            look.width - 0.1,
            height - 0.1,
            boxstyle="round,pad=0.05,rounding_size=0.07",
            facecolor=face,
            edgecolor=face if is_normalization else look.edge,
            linestyle=look.dashes,
            linewidth=1.1,
            zorder=3,
        )
    )
    middle, color = look.left + look.width / 2, pick_text_color(face)
    lift = 0.09 if layer.detail else 0.0
    canvas.text(
        middle,
        center - lift,
        layer.type,
        ha="center",
        va="center",
        fontsize=10 if is_normalization else 8.5,
        weight="bold" if is_normalization else "normal",
        color=color,
        zorder=4,
    )
    canvas.text(
        middle, center + 0.1, layer.detail, ha="center", va="center", fontsize=7.5, color=color, zorder=4
    )


def _draw_connectors(
    canvas: Axes, rows: Sequence[Sequence[LayerDescription]], centers: Sequence[float]
) -> None:
    """Arrows from cell to cell, and from the end of each row back to the start of the next one."""
    first = LOOKS[_name_kind(rows[0][0], rows[0])]
    entrance = first.left - 0.14
    image = f"image 1×{IMAGE_SIZE}×{IMAGE_SIZE}"
    canvas.text(entrance - 0.06, centers[0], image, ha="right", va="center", fontsize=8, color=QUIET_INK)
    _draw_arrow(canvas, [(entrance, centers[0]), (first.left, centers[0])])
    for row, center in zip(rows, centers, strict=True):
        looks = [LOOKS[_name_kind(layer, row)] for layer in row]
        for one, other in pairwise(looks):
            _draw_arrow(canvas, [(one.left + one.width, center), (other.left, center)])
    for (row, center), (next_row, next_center) in pairwise(zip(rows, centers, strict=True)):
        last, following = LOOKS[_name_kind(row[-1], row)], LOOKS[_name_kind(next_row[0], next_row)]
        end, start, gap = last.left + last.width, following.left, (center + next_center) / 2
        path = [(end, center), (end + 0.12, center), (end + 0.12, gap)]
        path += [(start - 0.16, gap), (start - 0.16, next_center), (start, next_center)]
        _draw_arrow(canvas, path)


def _draw_arrow(canvas: Axes, path: Sequence[tuple[float, float]]) -> None:
    canvas.plot(*zip(*path, strict=True), color=FLOW_COLOR, linewidth=1, solid_joinstyle="round", zorder=2)
    canvas.annotate(
        "",
        xy=path[-1],
        xytext=path[-2],
        arrowprops={"arrowstyle": "-|>", "color": FLOW_COLOR, "lw": 1, "shrinkA": 0, "shrinkB": 0.5},
        zorder=2,
    )


def _draw_feature_map(canvas: Axes, shape: tuple[int, int, int], center: float) -> None:
    """Sheets as large as the picture still is, more of them for more channels."""
    side = max(0.34 * shape[1] / IMAGE_SIZE, 0.05)
    sheets = min(4, 1 + shape[0] // 6)
    for sheet in reversed(range(sheets)):
        offset = 0.035 * (sheet - (sheets - 1) / 2)
        corner = (MAP_CENTER - side / 2 + offset, center - side / 2 - offset)
        canvas.add_patch(
            Rectangle(corner, side, side, facecolor="#EEF1F4", edgecolor=FLOW_COLOR, linewidth=0.7)
        )


def _draw_totals(canvas: Axes, layers: Sequence[LayerDescription], height: float) -> None:
    parameters, normalized = _count_parameters(layers)
    multiply_adds = sum(layer.multiply_adds for layer in layers)
    canvas.plot([0.25, MULTIPLY_ADDS_EDGE], [height - 0.22] * 2, color=FAINT_INK, linewidth=1)
    share = f"{normalized:,} parameters are γ and β ({normalized / max(parameters, 1):.0%})"
    canvas.text(
        0.35,
        height,
        f"Total, multiply-adds for one image forward; {share}",
        va="center",
        fontsize=9.5,
        color=QUIET_INK,
    )
    for edge, total in ((PARAMETERS_EDGE, parameters), (MULTIPLY_ADDS_EDGE, multiply_adds)):
        canvas.text(
            edge, height, f"{total:,}", ha="right", va="center", fontsize=10.5, color=INK, weight="bold"
        )


def _draw_legend(canvas: Axes, layers: Sequence[LayerDescription], height: float) -> None:
    kinds = {_name_kind(layer, [other for other in layers if other.row == layer.row]) for layer in layers}
    left = 0.35
    for kind in (kind for kind in LOOKS if kind in kinds):
        look = LOOKS[kind]
        colors = [COLORS_BY_TYPE[layer.type] for layer in layers if layer.type in COLORS_BY_TYPE]
        face = colors[0] if kind == "normalization" else look.face
        edge = face if kind == "normalization" else look.edge
        swatch = Rectangle(
            (left, height - 0.08), 0.26, 0.16, facecolor=face, edgecolor=edge, linestyle=look.dashes
        )
        canvas.add_patch(swatch)
        canvas.text(left + 0.34, height, kind, va="center", fontsize=8.5, color=INK)
        left += 0.62 + 0.072 * len(kind)


def _name_kind(layer: LayerDescription, row: Sequence[LayerDescription]) -> str:
    if layer.type in KINDS:
        return KINDS[layer.type]
    return "convolution" if any(other.type == "ReLU" for other in row) else "bare 1×1 convolution"


def _count_parameters(layers: Sequence[LayerDescription]) -> tuple[int, int]:
    """Count all parameters, and those of normalization layers."""
    normalized = sum(layer.parameters for layer in layers if KINDS.get(layer.type) == "normalization")
    return sum(layer.parameters for layer in layers), normalized
