"""The confusion figure and the sheet across runs: what is written, and that it can be read."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.datasets.load import DATASETS
from service.mistakes.confusion_figure import draw_confusions
from service.mistakes.image_sheet import MissedImage, WrongAnswer, draw_shared_mistakes
from tests.service.mistakes.test_sheets import assert_texts_keep_apart, read_texts

pytestmark = pytest.mark.slow


def make_matrix() -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    matrix = np.diag(np.full(10, 980))
    matrix[4, 9], matrix[9, 4] = 31, 2
    return matrix


def read_cells(panel: Axes) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for text in panel.texts}


def shade(panel: Axes, true: int, guess: int) -> int:
    """How bright the cell is, 0–765."""
    return int(np.asarray(panel.images[0].get_array())[true, guess].sum())


class TestConfusion:
    def test_counts_stand_in_their_cells_and_frequent_mistakes_are_darker(self) -> None:
        (panel,) = draw_confusions({"batch": make_matrix()}, class_names="0123456789", title="Run 1").axes

        cells = read_cells(panel)
        # x is the answer, y the true class.
        assert (cells[9, 4], cells[4, 9], cells[0, 0]) == ("31", "2", "980")
        assert len(cells) == 12
        assert shade(panel, 4, 9) < shade(panel, 9, 4) < shade(panel, 0, 1) == 765
        assert panel.get_title(loc="left") == "33 of 9,833 wrong"

    def test_panels_share_their_colors(self) -> None:
        mild = np.diag(np.full(10, 980))
        mild[4, 9] = 2
        strong, weak = draw_confusions(
            {"batch": make_matrix(), "group": mild}, class_names="0123456789", title="Both"
        ).axes

        assert shade(weak, 4, 9) == shade(strong, 9, 4)

    @pytest.mark.parametrize(
        ("dataset", "number"),
        [("mnist", 1), ("mnist", 4), ("fashion_mnist", 1), ("fashion_mnist", 20), ("kmnist", 4)],
    )
    def test_labels_keep_apart_and_on_the_page(self, dataset: str, number: int) -> None:
        matrices = {f"configuration {i} + L1 + L2": make_matrix() for i in range(number)}
        figure = draw_confusions(matrices, class_names=DATASETS[dataset].class_names, title="Any")
        figure.draw_without_rendering()

        assert len(figure.axes) == number
        for panel in figure.axes:
            box = panel.get_tightbbox()
            assert box is not None
            assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1
        headings = [text.get_window_extent() for text in figure.texts]
        first = figure.axes[0].get_tightbbox()
        assert first is not None
        assert min(box.y0 for box in headings) > first.y1

    def test_kana_are_written_in_latin_letters(self) -> None:
        (panel,) = draw_confusions(
            {"batch": make_matrix()}, class_names=DATASETS["kmnist"].class_names, title="Kana"
        ).axes

        assert [name.get_text() for name in panel.get_yticklabels()][:4] == ["o", "ki", "su", "tsu"]


def make_image(*answers: WrongAnswer, index: int = 7, num_runs: int = 120) -> MissedImage:
    image = np.zeros((28, 28), dtype=np.uint8)
    return MissedImage(index=index, image=image, true="9", num_runs=num_runs, answers=answers)


def make_answer(predicted: str, *labels: str, confidence: float = 0.987) -> WrongAnswer:
    normalizations = tuple(label.split()[0] for label in labels)
    return WrongAnswer(
        predicted=predicted, labels=labels, normalizations=normalizations, confidence=confidence
    )


def draw(*images: MissedImage, num_total: int = 1) -> Figure:
    return draw_shared_mistakes(images, title="The study", num_total=num_total)


class TestSheetAcrossRuns:
    def test_tells_who_took_it_for_what(self) -> None:
        texts = read_texts(
            draw(make_image(make_answer("4", "batch + L2", "layer"), make_answer("7", "group")))
        )

        assert {"9: wrong in 3 of 120 runs", "→ 4", "batch + L2, layer", "→ 7", "group", "#7"} <= set(texts)
        assert {"up to 98.7 %", "98.7 %"} <= set(texts)

    def test_counts_the_seeds_of_a_configuration(self) -> None:
        assert "batch ×3, layer" in read_texts(draw(make_image(make_answer("4", *["batch"] * 3, "layer"))))

    def test_many_runs_are_summed_up(self) -> None:
        labels = [f"{name} + {penalty}" for name in ("batch", "group") for penalty in ("L1", "L2", "L1 + L2")]

        assert "batch ×18, group ×18" in read_texts(draw(make_image(make_answer("4", *labels * 6))))

    def test_what_is_not_shown_is_counted(self) -> None:
        images = [make_image(make_answer("4", "batch"), index=index) for index in range(50)]
        texts = read_texts(draw(*images, num_total=50))

        assert "#29" in texts
        assert "#30" not in texts
        assert any("30 of 50 misclassified images" in text for text in texts)

    @pytest.mark.parametrize("number", [1, 2, 30])
    def test_texts_keep_apart(self, number: int) -> None:
        names = [f"{name} + L1" for name in ("batch", "group", "layer", "instance", "none")]
        crowded = [
            make_answer(name, *names * 24) for name in ("ankle boot", "T-shirt", "sneaker", "coat", "dress")
        ]
        images = [make_image(*crowded, index=10 * index) for index in range(number)]

        assert_texts_keep_apart(draw(*images, num_total=number))

    def test_nothing_missed_is_a_friendly_figure(self) -> None:
        assert any("No run misclassifies" in text for text in read_texts(draw(num_total=0)))
