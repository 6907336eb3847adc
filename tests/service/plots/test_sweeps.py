"""Accuracy by a swept setting."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from service.drawing.palette import Configuration
from service.plots.sweeps import SweepPoint, draw_sweep


def draw(points: list[SweepPoint]) -> Figure:
    return draw_sweep(points, title="T", setting="Batch size", accuracy="Accuracy", notes=["Left out: 1."])


def make_point(name: str, value: float, *, is_chosen: bool = False) -> SweepPoint:
    line = Configuration(label=name, normalization=name, penalty="none")
    return SweepPoint(line=line, value=value, accuracies=(0.98, 0.99), is_chosen=is_chosen)


def test_a_line_for_each_normalization_on_a_scale_of_two() -> None:
    figure = draw([make_point(name, value) for name in ("batch", "group") for value in (8, 2, 4)])

    (panel,) = figure.axes
    assert panel.get_xscale() == "log"
    assert [label.get_text() for label in panel.get_xticklabels()] == ["2", "4", "8"]
    assert len(panel.lines) == 2
    assert np.asarray(panel.lines[0].get_xdata()) == pytest.approx([2, 4, 8], rel=0.03)
    assert len(panel.collections) == 6
    low, high = panel.get_ylim()
    assert low < 98.5 - 6.3 < 98.5 < high
    words = [text.get_text() for text in figure.texts]
    assert "Mean of 2 seeds; whisker: 95 % t interval of the mean.  Left out: 1." in words


def test_what_was_chosen_is_ringed() -> None:
    figure = draw([make_point("batch", 0.04), make_point("batch", 0.08, is_chosen=True)])

    (panel,) = figure.axes
    rings = [one for one in panel.collections if isinstance(one, PathCollection)]
    assert [np.asarray(ring.get_offsets()).tolist() for ring in rings] == [[pytest.approx([0.08, 98.5])]]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["0.04", "0.08"]


def test_whiskers_of_few_seeds_reach_from_the_least_to_the_greatest() -> None:
    points = [make_point("batch", 0.04)]
    figure = draw_sweep(points, title="T", setting="S", accuracy="A", has_intervals=False)

    (panel,) = figure.axes
    (whisker,) = panel.collections
    heights = np.asarray(whisker.get_paths()[0].vertices)[:, 1]
    assert heights.tolist() == pytest.approx([98, 99])
    assert "Mean of 2 seeds; whisker: from the least to the greatest." in figure.texts[-1].get_text()


def test_nothing_completed_is_a_friendly_figure() -> None:
    (panel,) = draw([]).axes
    assert "No run has completed yet" in " ".join(text.get_text() for text in panel.texts)
