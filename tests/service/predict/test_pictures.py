"""Generated pictures, read by the service's own code with a network of the best recipe."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lab.datasets.load import DATASETS, is_present
from tests.conftest import SHARED_DATA
from tests.pictures import papers
from tests.pictures.hand import Hand, encode, place, to_bytes
from tests.pictures.kinds import KINDS
from tests.pictures.measure import measure_kind
from tests.pictures.reader import read_picture
from tests.pictures.strokes import DIGITS, draw_glyph

pytestmark = pytest.mark.slow

# The least part of each group's pictures that is read right; docs/predict.md has what was measured.
FLOORS = {"flat": 0.97, "photo": 0.95, "grid": 0.92, "hard": 0.95, "several": 0.92, "other": 0.85}
COUNT = 6

Levels = NDArray[np.floating]
SIZE = (240, 240)


@pytest.mark.parametrize("group", FLOORS)
def test_hard_pictures_are_read(group: str) -> None:
    outcomes = [
        outcome
        for kind in KINDS
        if kind.group == group
        for outcome in measure_kind(kind, COUNT, data_dir=SHARED_DATA, seed=10)
    ]
    if group == "other" and not is_present(DATASETS["mnist"], data_dir=SHARED_DATA):
        pytest.skip(f"novelty needs MNIST, which is not at {SHARED_DATA}")

    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    sure = [outcome for outcome in wrong if outcome.is_sure]
    assert len(wrong) <= (1 - FLOORS[group]) * len(outcomes)
    assert group == "other" or len(sure) <= max(1, 0.02 * len(outcomes))


def add_gradient(levels: Levels) -> Levels:
    """Light that falls to 60 % from top to bottom."""
    return levels * np.linspace(1, 0.6, levels.shape[0])[:, None]


CHANGES: dict[str, Callable[[Levels], bytes]] = {
    "moved": lambda levels: encode(to_bytes(np.pad(levels, ((90, 0), (0, 150)), constant_values=1))),
    "larger": lambda levels: encode(Image.fromarray(to_bytes(levels)).resize((700, 700))),
    "smaller": lambda levels: encode(Image.fromarray(to_bytes(levels)).resize((96, 96))),
    "inverted": lambda levels: encode(to_bytes(1 - levels)),
    "padded": lambda levels: encode(to_bytes(np.pad(levels, 200, constant_values=1))),
    "framed": lambda levels: encode(to_bytes(np.pad(levels, 14))),
    "under a gradient": lambda levels: encode(to_bytes(add_gradient(levels)), "JPEG", quality=90),
    "small under a gradient": lambda levels: encode(
        Image.fromarray(to_bytes(add_gradient(levels))).resize((64, 64), Image.Resampling.BOX), "JPEG"
    ),
    "JPEG of quality 30": lambda levels: encode(to_bytes(levels), "JPEG", quality=30),
    "faint": lambda levels: encode(to_bytes(0.75 + 0.2 * levels)),
    "on middle grey": lambda levels: encode(to_bytes(0.12 + 0.38 * levels)),
    "in shadow": lambda levels: encode(
        to_bytes(levels * papers.cast_shadow(SIZE, np.random.default_rng(5))), "JPEG", quality=80
    ),
    "WebP": lambda levels: encode(to_bytes(levels), "WEBP", quality=60),
}


@pytest.mark.parametrize("change", CHANGES)
def test_answer_stays_the_same(change: str) -> None:
    for digit in DIGITS:
        generator = np.random.default_rng(int(digit))
        ink = draw_glyph(digit, height=150, pen=14, generator=generator)
        levels = 1 - place(ink, SIZE, Hand(generator=generator))

        answer = read_picture(CHANGES[change](levels), data_dir=SHARED_DATA)

        assert answer.digits == [int(digit)], (digit, answer.preprocessing.steps)


def test_several_digits_are_read_in_order_with_their_boxes() -> None:
    generator = np.random.default_rng(0)
    sheet = np.zeros((400, 500))
    boxes = []
    for digit, top, left in (("4", 40, 60), ("2", 55, 260), ("7", 230, 90)):
        ink = draw_glyph(digit, height=120, pen=10, generator=generator)
        sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
        boxes.append((left, top, ink.shape[1], ink.shape[0]))

    answer = read_picture(encode(to_bytes(1 - sheet)), data_dir=SHARED_DATA)

    assert answer.digits == [4, 2, 7]
    assert answer.digit == 4
    assert any("3 figures" in warning for warning in answer.warnings)
    for figure, expected in zip(answer.figures, boxes, strict=True):
        assert tuple(figure.box.model_dump().values()) == pytest.approx(expected, abs=3)


def test_boxes_are_in_the_pixels_of_the_picture_sent() -> None:
    ink = draw_glyph("3", height=900, pen=80, generator=np.random.default_rng(1))
    sheet = np.zeros((2000, 1500))
    sheet[700 : 700 + ink.shape[0], 300 : 300 + ink.shape[1]] = ink

    (figure,) = read_picture(encode(to_bytes(1 - sheet)), data_dir=SHARED_DATA).figures

    assert (figure.box.left, figure.box.top) == pytest.approx((300, 700), abs=8)
    assert (figure.box.width, figure.box.height) == pytest.approx(ink.shape[::-1], abs=12)


class TestNoDigit:
    def test_filled_shape_is_called_that(self) -> None:
        rows, columns = np.mgrid[-1:1:300j, -1:1:300j]
        answer = read_picture(
            encode(to_bytes(np.hypot(rows, columns) > 0.4 + np.zeros((300, 300)))), data_dir=SHARED_DATA
        )

        assert not answer.is_digit
        assert answer.is_unsure
        assert answer.confidence < 0.2
        assert any("filled shape" in warning for warning in answer.warnings)

    def test_turned_digit_is_read_turned_and_said_so(self) -> None:
        if not is_present(DATASETS["mnist"], data_dir=SHARED_DATA):
            pytest.skip(f"novelty needs MNIST, which is not at {SHARED_DATA}")
        right = 0
        for seed in range(12):
            generator = np.random.default_rng(seed)
            digit = "23457"[seed % 5]
            ink = draw_glyph(digit, height=150, pen=14, generator=generator)
            levels = 1 - place(ink, SIZE, Hand(generator=generator))
            answer = read_picture(encode(to_bytes(np.rot90(levels))), data_dir=SHARED_DATA)
            is_turned = answer.figures[0].turned_degrees == 90
            assert is_turned == any("turning the picture clockwise by 90°" in one for one in answer.warnings)
            right += is_turned and answer.digit == int(digit)

        assert right >= 10
