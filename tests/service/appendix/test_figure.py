"""The appendix as a figure: every value drawn, sets told apart, and nothing too small to read."""

from itertools import product

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from lab.errors import InvalidTensorError
from service.appendix.colors import pick_colors
from service.appendix.figure import draw_appendix
from service.appendix.sample import STUDY_SAMPLE
from service.appendix.statistics import NORMALIZATIONS, work_out

pytestmark = pytest.mark.slow


def make_pixels(images: int, channels: int, rows: int, columns: int) -> list[list[list[list[int]]]]:
    return [
        [[[n + 2 * c - h * w for w in range(columns)] for h in range(rows)] for c in range(channels)]
        for n in range(images)
    ]


def list_texts(figure: Figure) -> list[Text]:
    return figure.axes[0].texts[:]


def list_frames(figure: Figure) -> list[FancyBboxPatch]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]


class TestStudyFigure:
    FIGURE = draw_appendix(work_out(STUDY_SAMPLE))

    def test_each_set_has_a_frame(self) -> None:
        assert len(list_frames(self.FIGURE)) == 4 + 4 + 8 + 16

    def test_every_value_is_written_in_every_panel(self) -> None:
        texts = [text.get_text() for text in list_texts(self.FIGURE)]
        values = [
            str(value).replace("-", "−")
            for image in STUDY_SAMPLE.pixels
            for c in image
            for r in c
            for value in r
        ]
        for value in set(values):
            assert texts.count(value) == 4 * values.count(value)

    def test_filled_in_values_are_in_italics_and_explained(self) -> None:
        texts = list_texts(self.FIGURE)
        assert len([text for text in texts if text.get_fontstyle() == "italic"]) == 4 * 36
        assert any("italics" in text.get_text() for text in texts)

    def test_figures_of_the_reference_are_readable(self) -> None:
        texts = {text.get_text() for text in list_texts(self.FIGURE)}
        assert {"μ = −0.25    σ² = 3.4375", "μ = −0.375\nσ² ≈ 4.359", "μ = 0.125    σ² = 4.484375"} <= texts

    def test_texts_stay_on_the_sheet_and_figures_in_their_frames(self) -> None:
        figure = draw_appendix(work_out(STUDY_SAMPLE))
        figure.draw_without_rendering()
        sheet = figure.bbox
        frames = [frame.get_window_extent() for frame in list_frames(figure)]
        for text in list_texts(figure):
            box = text.get_window_extent()
            assert sheet.x0 <= box.x0 <= box.x1 <= sheet.x1
            assert sheet.y0 <= box.y0 <= box.y1 <= sheet.y1
            if text.get_text().startswith("μ ="):
                assert any(
                    f.x0 <= box.x0 and box.x1 <= f.x1 and f.y0 <= box.y0 and box.y1 <= f.y1 for f in frames
                )

    def test_shortened_values_are_announced(self) -> None:
        def read_foot(value: float) -> str:
            return list_texts(draw_appendix(work_out([[[[value]]]], groups=1)))[-1].get_text()

        assert "three digits" in read_foot(1.234)
        assert "three digits" not in read_foot(-1.23)
        assert "three digits" not in read_foot(9999)


class TestColours:
    @pytest.mark.parametrize("groups", [1, 2, 3, 6])
    def test_neighbouring_sets_differ(self, groups: int) -> None:
        appendix = work_out(make_pixels(9, 6, 1, 1), groups=groups)
        for name in NORMALIZATIONS:
            sets = appendix.sets[name]
            owner = {
                place: (index, color)
                for index, (one, color) in enumerate(zip(sets, pick_colors(sets), strict=True))
                for place in product(one.images, one.channels)
            }
            for (n, c), (down, across) in product(owner, [(0, 1), (1, 0), (1, 1), (1, -1)]):
                neighbour = owner.get((n + down, c + across))
                if neighbour and neighbour[0] != owner[n, c][0]:
                    assert neighbour[1] != owner[n, c][1]


class TestSizes:
    @pytest.mark.parametrize(
        "shape", [(1, 1, 1, 1), (2, 6, 3, 3), (1, 40, 1, 1), (40, 1, 1, 8), (4, 2, 8, 16)]
    )
    def test_other_shapes_are_drawn_with_nothing_off_the_sheet(
        self, shape: tuple[int, int, int, int]
    ) -> None:
        figure = draw_appendix(work_out(make_pixels(*shape), groups=1))
        figure.draw_without_rendering()
        for text in list_texts(figure):
            box = text.get_window_extent()
            assert figure.bbox.x0 <= box.x0
            assert box.x1 <= figure.bbox.x1

    def test_too_many_values_are_refused(self) -> None:
        with pytest.raises(
            InvalidTensorError, match=r"1,025 values could not be read; at most 1,024 are drawn"
        ):
            draw_appendix(work_out(make_pixels(5, 5, 1, 41), groups=1))

    @pytest.mark.parametrize(
        ("shape", "sizes"), [((1, 41, 1, 1), "41 cells across"), ((3, 1, 14, 1), "42 down")]
    )
    def test_too_long_sides_are_refused(self, shape: tuple[int, int, int, int], sizes: str) -> None:
        with pytest.raises(InvalidTensorError, match=sizes):
            draw_appendix(work_out(make_pixels(*shape), groups=1))
