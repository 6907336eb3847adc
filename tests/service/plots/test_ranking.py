"""Ranking, verdicts and batch sizes: the right figures in the right places, readable."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from service.drawing.palette import NORMALIZATION_COLORS
from service.plots.ranking import RankedConfiguration, draw_ranking
from service.plots.verdict_matrix import LOOKS, Verdict, draw_verdicts


def rank(normalization: str, *accuracies: float, label: str = "") -> RankedConfiguration:
    return RankedConfiguration(
        label=label or normalization, normalization=normalization, accuracies=accuracies
    )


def read_words(figure: Figure) -> str:
    return " ".join(
        text.get_text() for text in [*figure.texts, *(t for axes in figure.axes for t in axes.texts)]
    )


def assert_on_the_page(figure: Figure) -> None:
    """Every label and text lies on the page."""
    figure.draw_without_rendering()
    for box in (axes.get_tightbbox() for axes in figure.axes):
        assert box is not None
        assert figure.bbox.x0 - 1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1
        assert figure.bbox.y0 - 1 <= box.y0 <= box.y1 <= figure.bbox.y1 + 1
    for text in figure.texts:
        box = text.get_window_extent()
        assert box.x1 <= figure.bbox.x1


class TestRanking:
    def test_orders_by_mean_and_draws_the_interval(self) -> None:
        figure = draw_ranking(
            [rank("layer", 0.97, 0.98, 0.99), rank("group", 0.99, 0.991)], title="T", num_unfinished=0
        )

        (panel,) = figure.axes
        assert [label.get_text() for label in panel.get_yticklabels()] == ["group", "layer"]
        whiskers = [np.asarray(one.get_segments()[0]) for one in panel.collections]  # type: ignore[attr-defined]
        layer = next(ends for ends in whiskers if ends[0, 1] == 1)
        assert layer[:, 0] == pytest.approx([98 - 2.484, 98 + 2.484], abs=1e-3)
        assert "98.00 ± 2.48   n = 3" in read_words(figure)

    def test_has_the_color_of_every_other_figure(self) -> None:
        (panel,) = draw_ranking([rank("instance", 0.9, 0.91)], title="T", num_unfinished=0).axes

        assert all(same_color(line.get_color(), NORMALIZATION_COLORS["instance"]) for line in panel.lines)

    def test_one_seed_has_no_interval_and_says_so(self) -> None:
        figure = draw_ranking([rank("batch", 0.9), rank("group", 0.92)], title="T", num_unfinished=2)

        assert not figure.axes[0].collections
        words = read_words(figure)
        assert "one seed, no interval" in words
        assert "the order may be chance" in words
        assert "not completed: 2" in words

    def test_one_that_failed_does_not_squeeze_the_others(self) -> None:
        good = [rank(name, 0.99, 0.992) for name in ("batch", "group", "layer")]
        (panel,) = draw_ranking([*good, rank("none", 0.1, 0.11)], title="T", num_unfinished=0).axes

        assert panel.get_xlim()[0] > 90
        assert any(line.get_marker() == "<" for line in panel.lines)

    @pytest.mark.parametrize("number", [1, 20, 70])
    def test_labels_stay_on_the_page(self, number: int) -> None:
        many = [
            rank("group", 0.99, 0.991, label=f"configuration {i:02} + L1 + L2, dropout 0.25")
            for i in range(number)
        ]

        assert_on_the_page(draw_ranking(many, title="Long " * 40, num_unfinished=1))

    def test_nothing_completed_is_a_friendly_figure(self) -> None:
        assert "No run has completed yet" in read_words(
            draw_ranking([rank("batch")], title="T", num_unfinished=1)
        )


def make_verdict(outcome: str, *, difference: float | None = 0.0031, is_confounded: bool = False) -> Verdict:
    return Verdict(a="batch", b="group", outcome=outcome, difference=difference, is_confounded=is_confounded)


def read_cell(panel: Axes, row: int, column: int) -> tuple[str, str]:
    """Text and fill of a cell."""
    (text,) = [one for one in panel.texts if one.get_position() == (column + 0.5, row + 0.5)]
    (patch,) = [one for one in panel.patches if one.get_xy() == (column, row)]  # type: ignore[attr-defined]
    found = next(name for name, look in LOOKS.items() if same_color(patch.get_facecolor(), look[0]))
    return text.get_text(), found


class TestVerdicts:
    def draw(self, verdict: Verdict) -> Figure:
        return draw_verdicts([verdict], labels=["group", "batch"], title="T", num_tests=1)

    def test_each_side_reads_its_own_row(self) -> None:
        panel = self.draw(make_verdict("a_better")).axes[0]

        # a is batch, in the second row.
        assert read_cell(panel, 1, 0) == ("+0.31", "better")
        assert read_cell(panel, 0, 1) == ("−0.31", "worse")

    def test_the_other_way_round(self) -> None:
        panel = self.draw(make_verdict("b_better", difference=-0.0031)).axes[0]

        assert read_cell(panel, 0, 1) == ("+0.31", "better")
        assert read_cell(panel, 1, 0) == ("−0.31", "worse")

    def test_what_is_not_known_is_marked(self) -> None:
        undecided = self.draw(make_verdict("cannot_conclude", is_confounded=True))
        nothing = self.draw(make_verdict("cannot_conclude", difference=None))

        assert read_cell(undecided.axes[0], 1, 0) == ("+0.31?*", "cannot_conclude")
        assert "* confounded" in read_words(undecided)
        assert read_cell(nothing.axes[0], 1, 0)[0] == "?"
        assert "confounded" not in read_words(nothing)

    def test_no_difference_found(self) -> None:
        assert (
            read_cell(self.draw(make_verdict("no_difference_found")).axes[0], 0, 1)[1]
            == "no_difference_found"
        )

    @pytest.mark.parametrize("number", [2, 20, 40])
    def test_labels_stay_on_the_page(self, number: int) -> None:
        labels = [f"instance + L1 + L2 (number {i})" for i in range(number)]
        figure = draw_verdicts([], labels=labels, title="Long " * 40, num_tests=190)

        assert_on_the_page(figure)
        assert ("not shown" in read_words(figure)) == (number == 40)

    def test_one_configuration_is_a_friendly_figure(self) -> None:
        assert "two configurations" in read_words(draw_verdicts([], labels=["batch"], title="T", num_tests=0))
