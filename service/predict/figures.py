"""Split ink into figures: strokes that belong together, without specks and what hangs on the border."""

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.predict.decoding import Gray
from service.predict.ink import EIGHT_NEIGHBORS, Ink, cut_border

MAX_FIGURES = 32
# In parts of the largest figure's longer side: gaps within a figure, and marks too small to be another one.
GAP = 0.06
MIN_SIZE = 0.25
MIN_PART_SIZE = 0.05
# In parts of the picture's longer side: a digit that has the border's pieces dropped.
MIN_INNER_SIZE = 0.08
# Of a picture cut to the ink, the part of the border that the ink may touch.
MAX_CONTACT = 0.3
MAX_PARTS = 200
# A part less than half as high as another one, as the bar of a 5, may lie this far off it, in parts of the
# larger; parts about as high, one above the other, are two lines unless they nearly touch.
SMALL_PART = 0.5
GAP_TO_SMALL_PART, GAP_TO_LIKE_PART = 0.12, 0.05


@dataclass(frozen=True, kw_only=True)
class Box:
    """A part of a picture, in pixels; ``right`` and ``bottom`` lie outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def size(self) -> int:
        """The longer side."""
        return max(self.width, self.height)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def scale(self, factor: float) -> "Box":
        """The same place in a picture ``factor`` times as large."""
        return Box(
            left=math.floor(self.left * factor),
            top=math.floor(self.top * factor),
            right=math.ceil(self.right * factor),
            bottom=math.ceil(self.bottom * factor),
        )

    def join(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(
            left=min(self.left, other.left),
            top=min(self.top, other.top),
            right=max(self.right, other.right),
            bottom=max(self.bottom, other.bottom),
        )


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Ink that is read as one digit: its box, and its ``levels``, as large as the box, without other ink."""

    box: Box
    levels: Gray


@dataclass(frozen=True, kw_only=True)
class _Group:
    parts: frozenset[int]
    box: Box


def split_figures(ink: Ink) -> list[Figure]:
    """The figures, line by line from left to right; at least one, at most ``MAX_FIGURES``."""
    labels = _label_largest(ink.levels > 0)
    boxes = [_to_box(slices) for slices in ndimage.find_objects(labels)]
    if len(boxes) == 1:
        return [_cut(_Group(parts=frozenset({1}), box=boxes[0]), ink.levels, labels)]
    groups = [_Group(parts=frozenset({number}), box=box) for number, box in enumerate(boxes, start=1)]
    largest = max(group.box.size for group in groups)
    groups = [group for group in groups if group.box.size >= MIN_PART_SIZE * largest]
    # On uneven paper, printed lines that hang on the border would join what they pass. On even paper, a digit
    # would lose parts that were not joined before.
    if not ink.is_even:
        groups = _drop_border(groups, labels, is_even=ink.is_even)
    groups = _join_near(groups, labels)
    if ink.is_even:
        groups = _drop_border(groups, labels, is_even=ink.is_even)
    largest = max(group.box.size for group in groups)
    groups = _join_overlapping([group for group in groups if group.box.size >= MIN_SIZE * largest])
    return [_cut(group, ink.levels, labels) for group in _sort_by_line(groups)[:MAX_FIGURES]]


def _label_largest(is_ink: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the ``MAX_PARTS`` largest connected parts, from 1."""
    labels: NDArray[np.int32]
    labels, count = ndimage.label(is_ink, EIGHT_NEIGHBORS)
    if count <= MAX_PARTS:
        return labels
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    numbers = np.zeros(count + 1, dtype=np.int32)
    numbers[np.argsort(areas, kind="stable")[-MAX_PARTS:]] = np.arange(1, MAX_PARTS + 1)
    largest: NDArray[np.int32] = numbers[labels]
    return largest


def _drop_border(groups: list[_Group], labels: NDArray[np.int32], *, is_even: bool) -> list[_Group]:
    """Drop parts on the border, unless the picture is cut to the ink or nothing else is large enough."""
    height, width = labels.shape
    everything = reduce(Box.join, (group.box for group in groups))
    is_cut_out = everything == Box(left=0, top=0, right=width, bottom=height)
    if is_even and is_cut_out and (cut_border(labels) > 0).mean() < MAX_CONTACT:
        return groups
    inner = [
        group
        for group in groups
        if group.box.left > 0 and group.box.top > 0 and group.box.right < width and group.box.bottom < height
    ]
    if any(group.box.size >= MIN_INNER_SIZE * max(labels.shape) for group in inner):
        return inner
    return groups


def _join_near(groups: list[_Group], labels: NDArray[np.int32]) -> list[_Group]:
    """Join parts with less than ``GAP`` between them."""
    reach = max(1, round(GAP * max(group.box.size for group in groups)))
    is_kept = np.isin(labels, [number for group in groups for number in group.parts])
    merged, _ = ndimage.label(ndimage.maximum_filter(is_kept, 2 * (reach // 2) + 1), EIGHT_NEIGHBORS)
    merged_by_number = np.zeros(labels.max() + 1, dtype=merged.dtype)
    merged_by_number[labels.ravel()] = merged.ravel()
    joined: dict[int, _Group] = {}
    for group in groups:
        (number,) = group.parts
        key = int(merged_by_number[number])
        joined[key] = _join(joined[key], group) if key in joined else group
    return list(joined.values())


def _join_overlapping(groups: list[_Group]) -> list[_Group]:
    """Join parts of which one lies within or closely above the other, until none is left."""
    pending = sorted(groups, key=lambda group: group.box.size, reverse=True)
    done: list[_Group] = []
    while pending:
        group = pending.pop(0)
        partner = next((other for other in pending if _belong_together(group.box, other.box)), None)
        if partner is None:
            done.append(group)
        else:
            pending.remove(partner)
            pending.insert(0, _join(group, partner))
    return done


def _belong_together(first: Box, second: Box) -> bool:
    across = min(first.right, second.right) - max(first.left, second.left)
    down = min(first.bottom, second.bottom) - max(first.top, second.top)
    low, high = sorted((first.height, second.height))
    if low < SMALL_PART * high and min(across, down) >= -GAP_TO_SMALL_PART * max(first.size, second.size):
        return True
    if across < 0.5 * min(first.width, second.width):
        return False
    return down >= 0.5 * low or -down <= GAP_TO_LIKE_PART * first.join(second).height


def _sort_by_line(groups: list[_Group]) -> list[_Group]:
    lines: list[list[_Group]] = []
    for group in sorted(groups, key=lambda group: group.box.top + group.box.bottom):
        middle = (group.box.top + group.box.bottom) / 2
        if lines and middle < float(np.median([other.box.bottom for other in lines[-1]])):
            lines[-1].append(group)
        else:
            lines.append([group])
    return [group for line in lines for group in sorted(line, key=lambda group: group.box.left)]


def _cut(group: _Group, levels: Gray, labels: NDArray[np.int32]) -> Figure:
    place = group.box.slices
    is_own = np.isin(labels[place], list(group.parts))
    return Figure(box=group.box, levels=np.where(is_own, levels[place], 0))


def _join(first: _Group, second: _Group) -> _Group:
    return _Group(parts=first.parts | second.parts, box=first.box.join(second.box))


def _to_box(slices: tuple[slice, slice]) -> Box:
    rows, columns = slices
    return Box(left=columns.start, top=rows.start, right=columns.stop, bottom=rows.stop)
