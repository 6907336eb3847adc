import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from service.drawing.rendering import IMAGE_FORMATS, ImageFormat, render
from service.mistakes.run_sheet import Mistake, RunMistakes, draw_misclassified, draw_misclassified_by_run

pytestmark = pytest.mark.slow


def make_mistakes(number: int, *, true: str = "9", predicted: str = "4") -> list[Mistake]:
    return [
        Mistake(
            index=1000 + i,
            image=np.full((28, 28), 5 * i % 256, dtype=np.uint8),
            true=true,
            predicted=predicted,
            confidence=0.99 - i / 1000,
        )
        for i in range(number)
    ]


def read_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def assert_texts_keep_apart(figure: Figure) -> None:
    """No two texts overlap, and none leaves the page."""
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1
        for other in boxes[:i]:
            assert not box.padded(-0.5).overlaps(other)


class TestSheet:
    def test_tile_tells_true_predicted_confidence_and_index(self) -> None:
        texts = read_texts(draw_misclassified(make_mistakes(1), title="group + L1"))
        assert {"group + L1", "9 → 4", "99.0 %", "#1000"} <= set(texts)
        assert any("the only mistake" in text for text in texts)

    def test_shows_the_first_forty_in_the_order_given(self) -> None:
        figure = draw_misclassified(make_mistakes(85), title="group + L1")
        images = figure.axes[0].images
        assert [int(np.asarray(image.get_array())[0, 0]) for image in images] == [5 * i for i in range(40)]
        corners = [(image.get_extent()[3], image.get_extent()[0]) for image in images]
        assert corners == sorted(corners)
        assert any("showing 40 of 85 mistakes" in text for text in read_texts(figure))
        assert "#1039" in read_texts(figure)
        assert "#1040" not in read_texts(figure)

    def test_pictures_stand_upright_and_keep_their_brightness(self) -> None:
        image = np.zeros((28, 28), dtype=np.uint8)
        image[:14] = 255
        mistake = Mistake(index=7, image=image, true="1", predicted="7", confidence=0.8)
        figure = draw_misclassified([mistake], title="Upright")
        with Image.open(io.BytesIO(render(figure, image_format="png"))) as picture:
            pixels = np.asarray(picture.convert("L"))
        left, right, bottom, top = figure.axes[0].images[0].get_extent()
        column = int((left + right) / 2 * 144)
        assert pixels[int((top + 0.2) * 144), column] == 255
        assert pixels[int((bottom - 0.2) * 144), column] == 0

    def test_words_take_two_lines(self) -> None:
        words = make_mistakes(20, true="ankle boot", predicted="T-shirt/top")
        figure = draw_misclassified(words, title="Fashion")
        assert "ankle boot →\nT-shirt/top" in read_texts(figure)
        assert_texts_keep_apart(figure)

    @pytest.mark.parametrize(
        ("confidence", "words"), [(0.99996, ">99.9 %"), (1.0, "100.0 %"), (0.999, "99.9 %"), (0.4, "40.0 %")]
    )
    def test_confidence_is_not_rounded_up_to_certainty(self, confidence: float, words: str) -> None:
        (mistake,) = make_mistakes(1)
        certain = Mistake(**{**vars(mistake), "confidence": confidence})
        assert words in read_texts(draw_misclassified([certain], title="Sure"))

    def test_no_mistakes_is_a_friendly_figure(self) -> None:
        texts = read_texts(draw_misclassified([], title="group + L1"))
        assert "group + L1" in texts
        assert any("No mistakes" in text for text in texts)

    @pytest.mark.parametrize("number", [1, 8, 9, 40])
    def test_texts_keep_apart(self, number: int) -> None:
        assert_texts_keep_apart(draw_misclassified(make_mistakes(number), title="Any"))


class TestSheetByRun:
    def test_each_run_has_a_labelled_strip(self) -> None:
        runs = [
            RunMistakes(run_name="batch + L1 + L2", mistakes=make_mistakes(85)),
            RunMistakes(run_name="perfect", mistakes=[]),
            RunMistakes(run_name="layer + L2", mistakes=make_mistakes(4)),
        ]
        figure = draw_misclassified_by_run(runs, title="The study")
        texts = read_texts(figure)
        assert {"batch + L1 + L2", "perfect", "layer + L2"} <= set(texts)
        assert "showing 10 of 85 mistakes" in texts
        assert "all 4 mistakes" in texts
        assert any("No mistakes" in text for text in texts)
        assert len(figure.axes[0].images) == 14
        assert_texts_keep_apart(figure)

    def test_many_runs_are_cut_and_counted(self) -> None:
        runs = [RunMistakes(run_name=f"run {i}", mistakes=make_mistakes(1)) for i in range(120)]
        texts = read_texts(draw_misclassified_by_run(runs, title="The grid"))
        assert any("showing 24 of 120 runs" in text for text in texts)
        assert "run 23" in texts
        assert "run 24" not in texts

    def test_no_run_is_a_friendly_figure(self) -> None:
        assert "No run has finished yet." in read_texts(draw_misclassified_by_run([], title="The study"))


class TestRendering:
    @pytest.mark.parametrize("image_format", IMAGE_FORMATS)
    def test_same_mistakes_give_the_same_bytes(self, image_format: ImageFormat) -> None:
        one, other = (draw_misclassified(make_mistakes(20), title="Twice") for _ in range(2))
        assert render(one, image_format=image_format) == render(other, image_format=image_format)

    def test_files_are_what_they_claim(self) -> None:
        figure = draw_misclassified(make_mistakes(85), title="group + L1")
        with Image.open(io.BytesIO(render(figure, image_format="png"))) as picture:
            picture.load()
            assert 1400 < picture.width < 1800
            assert 1200 < picture.height < 1700
        assert render(figure, image_format="pdf").startswith(b"%PDF-")
        assert b"<svg" in render(figure, image_format="svg")[:1000]
