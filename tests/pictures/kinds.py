"""Kinds of pictures: each makes one from a digit, as the bytes of a file, with what it shows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tests.pictures import papers
from tests.pictures.hand import (
    Drawn,
    Hand,
    encode,
    ink_on_paper,
    photograph,
    place,
    to_bytes,
    write_somewhere,
)
from tests.pictures.strokes import DIGITS, Coverage, draw_glyph, draw_paths

Group = Literal["flat", "photo", "grid", "hard", "several", "other"]
Make = Callable[[Hand], Drawn]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of picture: its name, its group, and how to make one."""

    name: str
    group: Group
    make: Make


SHEET = (300, 400)


def _drawing(hand: Hand) -> Drawn:
    return hand.finish(1 - write_somewhere(hand, (280, 280), share=(0.4, 0.85)))


def _drawing_on_black(hand: Hand) -> Drawn:
    return hand.finish(write_somewhere(hand, (280, 280), share=(0.4, 0.85)))


def _thin_pen(hand: Hand) -> Drawn:
    return hand.finish(1 - place(hand.write(260, pen=3), (400, 400), hand))


def _small_on_a_sheet(hand: Hand) -> Drawn:
    return hand.finish(1 - place(hand.write(70), (480, 640), hand))


def _touching_the_border(hand: Hand) -> Drawn:
    return hand.finish(1 - hand.write(200))


def _scan(hand: Hand) -> Drawn:
    coverage = write_somewhere(hand, SHEET)
    grain = hand.generator.normal(0, 0.012, SHEET)
    return hand.finish(0.95 * (1 - hand.uniform(0.4, 0.8) * coverage) + grain, "JPEG", quality=85)


def _coloured(hand: Hand) -> Drawn:
    coverage = write_somewhere(hand, SHEET)[..., None]
    paper, pen = hand.generator.uniform(0.75, 1, 3), hand.generator.uniform(0, 0.45, 3)
    return hand.finish(paper * (1 - coverage) + pen * coverage)


def _mid_grey(hand: Hand) -> Drawn:
    paper = hand.uniform(0.42, 0.56)
    ink = paper - 0.35 if hand.generator.random() < 0.5 else paper + 0.42
    coverage = write_somewhere(hand, SHEET)
    return hand.finish(paper + (ink - paper) * coverage)


def _dim(hand: Hand) -> Drawn:
    return hand.finish(hand.uniform(0.3, 0.48) * (1 - 0.75 * write_somewhere(hand, SHEET)))


def _isoluminant(hand: Hand) -> Drawn:
    coverage = write_somewhere(hand, SHEET)[..., None]
    paper, pen = np.array([0.2, 0.62, 0.2]), np.array([0.93, 0.25, 0.2])
    return hand.finish(paper * (1 - coverage) + pen * coverage)


def _frame(hand: Hand) -> Drawn:
    levels = np.pad(1 - write_somewhere(hand, SHEET), int(hand.generator.integers(6, 30)))
    return hand.finish(levels)


def _sticker(hand: Hand) -> Drawn:
    levels = 1 - write_somewhere(hand, SHEET, share=(0.3, 0.6))
    rows, columns = np.mgrid[-1 : 1 : SHEET[0] * 1j, -1 : 1 : SHEET[1] * 1j]
    alpha = np.where(rows**8 + columns**8 < 0.9, 255, 0).astype(np.uint8)
    gray = to_bytes(levels)
    rgba = np.dstack((np.where(alpha[..., None] > 0, gray[..., None], 0).repeat(3, axis=2), alpha))
    return Drawn(data=encode(rgba.astype(np.uint8)), digits=hand.digits)


def _pepper(hand: Hand) -> Drawn:
    levels = 1 - write_somewhere(hand, SHEET, share=(0.45, 0.8))
    dice = hand.generator.random(SHEET)
    return hand.finish(np.where(dice < 0.03, 0.0, np.where(dice > 0.97, 1.0, levels)))


def _specks(hand: Hand) -> Drawn:
    coverage = write_somewhere(hand, SHEET, share=(0.4, 0.8))
    return hand.finish(
        1 - np.maximum(coverage, papers.sprinkle(SHEET, hand.generator, count=14, reach=0.012))
    )


def _phone(hand: Hand) -> Drawn:
    light = papers.shade(SHEET, hand.generator)
    return photograph(hand, ink_on_paper(hand, write_somewhere(hand, SHEET)), light)


def _shadow(hand: Hand) -> Drawn:
    light = papers.cast_shadow(SHEET, hand.generator) * papers.shade(SHEET, hand.generator, darkest=0.7)
    return photograph(hand, ink_on_paper(hand, write_somewhere(hand, SHEET)), light)


def _vignette(hand: Hand) -> Drawn:
    return photograph(
        hand, ink_on_paper(hand, write_somewhere(hand, SHEET)), papers.vignette(SHEET, hand.generator)
    )


def _ruled(hand: Hand, *, is_grid: bool = False) -> Drawn:
    lines = papers.rule_lines(SHEET, hand.generator, is_grid=is_grid)
    light = papers.shade(SHEET, hand.generator, darkest=0.6)
    return photograph(hand, ink_on_paper(hand, write_somewhere(hand, SHEET), lines), light)


def _grid(hand: Hand) -> Drawn:
    return _ruled(hand, is_grid=True)


def _grid_in_shadow(hand: Hand) -> Drawn:
    lines = papers.rule_lines(SHEET, hand.generator, is_grid=True)
    return photograph(
        hand,
        ink_on_paper(hand, write_somewhere(hand, SHEET), lines),
        papers.cast_shadow(SHEET, hand.generator),
    )


def _desk(hand: Hand) -> Drawn:
    sheet = place(hand.write(round(SHEET[0] * hand.uniform(0.3, 0.6))), SHEET, hand, margin=0.16)
    reflectance = papers.lay_on_desk(ink_on_paper(hand, sheet), hand.generator)
    return photograph(hand, reflectance, papers.shade(SHEET, hand.generator, darkest=0.6))


def _neighbour(hand: Hand) -> Drawn:
    height = round(SHEET[0] * hand.uniform(0.35, 0.55))
    pen = height * 0.09
    coverage = place(hand.write(height, pen=pen), SHEET, hand, margin=0.17)
    other = draw_glyph(str(hand.generator.choice(DIGITS)), height=height, pen=pen, generator=hand.generator)
    seen = other[:, -max(4, other.shape[1] // 4) :]
    top = int(hand.generator.integers(0, SHEET[0] - height))
    part = coverage[top : top + seen.shape[0], : seen.shape[1]]
    part[:] = np.maximum(part, seen[: part.shape[0]])
    return photograph(hand, ink_on_paper(hand, coverage), papers.shade(SHEET, hand.generator))


def _blackboard(hand: Hand) -> Drawn:
    board = 0.22 + 0.5 * write_somewhere(hand, SHEET)
    return photograph(hand, board, papers.shade(SHEET, hand.generator))


def _write_row(hand: Hand, count: int, height: int) -> Coverage:
    pen = height * 0.09
    written = [hand.write(height, pen=pen) for _ in range(count)]
    gap = round(height * hand.uniform(0.15, 0.5))
    row = np.zeros((height + 12, sum(ink.shape[1] for ink in written) + gap * (count - 1)))
    left = 0
    for ink in written:
        top = int(hand.generator.integers(0, 1 + max(0, row.shape[0] - ink.shape[0])))
        ink = ink[: row.shape[0] - top]
        row[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
        left += ink.shape[1] + gap
    return row


def _two_digits(hand: Hand) -> Drawn:
    return hand.finish(1 - place(_write_row(hand, 2, 120), SHEET, hand))


def _two_digits_photo(hand: Hand) -> Drawn:
    coverage = place(_write_row(hand, 2, 120), SHEET, hand)
    return photograph(hand, ink_on_paper(hand, coverage), papers.shade(SHEET, hand.generator))


def _four_digits(hand: Hand) -> Drawn:
    return hand.finish(1 - place(_write_row(hand, 4, 90), (300, 600), hand))


def _two_lines(hand: Hand) -> Drawn:
    first, second = _write_row(hand, 2, 100), _write_row(hand, 2, 100)
    sheet = np.zeros((400, 400))
    sheet[30 : 30 + first.shape[0], 40 : 40 + first.shape[1]] = first
    sheet[220 : 220 + second.shape[0], 60 : 60 + second.shape[1]] = second
    return hand.finish(1 - sheet)


def _letter(hand: Hand) -> Drawn:
    return hand.finish(1 - place(hand.write_letter(180), SHEET, hand))


def _disc(hand: Hand) -> Drawn:
    radius = hand.uniform(0.1, 0.35)
    rows, columns = np.mgrid[-0.5 : 0.5 : 300 * 1j, -0.5 : 0.5 : 300 * 1j]
    return hand.finish(np.where(np.hypot(rows, columns) < radius, 0.0, 1.0))


def _square(hand: Hand) -> Drawn:
    side = int(hand.generator.integers(40, 150))
    return hand.finish(1 - place(np.ones((side, side)), SHEET, hand))


def _dot(hand: Hand) -> Drawn:
    side = int(hand.generator.integers(3, 10))
    return hand.finish(1 - place(np.ones((side, side)), SHEET, hand))


def _noise(hand: Hand) -> Drawn:
    return hand.finish(hand.generator.random((200, 200)))


def _scribble(hand: Hand) -> Drawn:
    points = hand.generator.uniform(0, 1, (14, 2))
    sheet = np.zeros((300, 300))
    drawn = draw_paths([points], height=240, pen=10)
    sheet[20 : 20 + drawn.shape[0], 20 : 20 + drawn.shape[1]] = drawn[:280, :280]
    return hand.finish(1 - sheet)


KINDS = (
    Kind(name="drawing", group="flat", make=_drawing),
    Kind(name="drawing on black", group="flat", make=_drawing_on_black),
    Kind(name="thin pen", group="flat", make=_thin_pen),
    Kind(name="small on a sheet", group="flat", make=_small_on_a_sheet),
    Kind(name="touching the border", group="flat", make=_touching_the_border),
    Kind(name="coloured pen and paper", group="flat", make=_coloured),
    Kind(name="scan", group="flat", make=_scan),
    Kind(name="phone", group="photo", make=_phone),
    Kind(name="shadow", group="photo", make=_shadow),
    Kind(name="vignette", group="photo", make=_vignette),
    Kind(name="ruled paper", group="photo", make=_ruled),
    Kind(name="page on a desk", group="photo", make=_desk),
    Kind(name="neighbour cut by the border", group="photo", make=_neighbour),
    Kind(name="blackboard", group="photo", make=_blackboard),
    Kind(name="grid paper", group="grid", make=_grid),
    Kind(name="grid paper in shadow", group="grid", make=_grid_in_shadow),
    Kind(name="middle grey", group="hard", make=_mid_grey),
    Kind(name="dim paper", group="hard", make=_dim),
    Kind(name="two colours, one brightness", group="hard", make=_isoluminant),
    Kind(name="black frame", group="hard", make=_frame),
    Kind(name="sticker", group="hard", make=_sticker),
    Kind(name="salt and pepper", group="hard", make=_pepper),
    Kind(name="specks", group="hard", make=_specks),
    Kind(name="two digits", group="several", make=_two_digits),
    Kind(name="two digits, phone", group="several", make=_two_digits_photo),
    Kind(name="four digits", group="several", make=_four_digits),
    Kind(name="two lines", group="several", make=_two_lines),
    Kind(name="letter", group="other", make=_letter),
    Kind(name="disc", group="other", make=_disc),
    Kind(name="square", group="other", make=_square),
    Kind(name="dot", group="other", make=_dot),
    Kind(name="noise", group="other", make=_noise),
    Kind(name="scribble", group="other", make=_scribble),
)


def make_pictures(
    kind: Kind,
    count: int,
    *,
    seed: int = 0,
    images: NDArray[np.uint8] | None = None,
    labels: Sequence[int] = (),
) -> Iterator[Drawn]:
    """Make ``count`` pictures of a kind, always the same for a seed, from strokes or from ``images``."""
    for index in range(count):
        generator = np.random.default_rng([seed, KINDS.index(kind), index])
        yield kind.make(Hand(generator=generator, images=images, labels=labels))
