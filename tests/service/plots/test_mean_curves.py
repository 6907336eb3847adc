"""Means with their bands: the interval is the right one, and many configurations are spread over panels."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from service.drawing.palette import NORMALIZATION_COLORS
from service.plots.mean_curves import draw_means
from tests.service.plots.test_curves import make_run

NORMALIZATIONS = tuple(NORMALIZATION_COLORS)
PENALTIES = ("none", "l1", "l2", "l1+l2")


def read_legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def read_notes(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def test_band_is_the_t_interval_of_the_mean() -> None:
    runs = [
        make_run(1, seed=seed, test_accuracy=[value] * 3, num_epochs=3)
        for seed, value in enumerate((0.97, 0.98, 0.99))
    ]

    (panel,) = draw_means(runs, metric="test-accuracy").axes

    (line,) = panel.lines
    assert np.allclose(np.asarray(line.get_ydata()), 98)
    (band,) = panel.collections
    assert isinstance(band, PolyCollection)
    ends = np.asarray(band.get_paths()[0].vertices)[:, 1]
    # t of 2 degrees of freedom at 0.975 is 4.3027; sd is 1 point.
    assert max(ends) == pytest.approx(98 + 4.3027 / np.sqrt(3), abs=1e-3)
    assert min(ends) == pytest.approx(98 - 4.3027 / np.sqrt(3), abs=1e-3)


def test_a_single_seed_has_a_line_and_no_band() -> None:
    runs = [make_run(1), make_run(2, seed=0), make_run(2, seed=1)]
    figure = draw_means(runs, metric="test-loss")

    (panel,) = figure.axes
    assert len(panel.lines) == 2
    assert [len(band.get_paths()) for band in panel.collections] == [0, 1]
    assert any(name.endswith("1 seed") for name in read_legend(figure))


def make_grid(*, num_seeds: int = 2) -> tuple[list[object], dict[str, str]]:
    runs: list[object] = []
    panels = {}
    for normalization in NORMALIZATIONS:
        for penalty in PENALTIES:
            label = f"{normalization} + {penalty}"
            panels[label] = f"penalty {penalty}"
            runs += [
                make_run(seed, seed=seed, label=label, normalization=normalization, penalty=penalty)
                for seed in range(num_seeds)
            ]
    return runs, panels


def test_a_grid_has_a_panel_for_each_penalty_on_one_scale() -> None:
    runs, titles = make_grid()
    figure = draw_means(runs, metric="test-accuracy", panel_by_label=titles)  # type: ignore[arg-type]

    assert [panel.get_title(loc="left") for panel in figure.axes] == [f"penalty {name}" for name in PENALTIES]
    assert len({panel.get_ylim() for panel in figure.axes}) == 1
    assert all(len(panel.lines) == 5 for panel in figure.axes)
    assert read_legend(figure) == ["batch", "group", "layer", "instance", "no norm"]


def test_without_titles_each_normalization_has_its_panel() -> None:
    runs, _ = make_grid()
    figure = draw_means(runs, metric="test-loss")  # type: ignore[arg-type]

    assert [panel.get_title(loc="left") for panel in figure.axes] == [
        "batch",
        "group",
        "layer",
        "instance",
        "no norm",
    ]
    assert [bool(panel.get_ylabel()) for panel in figure.axes] == [True, False, False, True, False]


def test_diverged_runs_are_left_out_and_named() -> None:
    broken = make_run(1, seed=1, num_epochs=3, test_loss=[0.5, float("nan"), float("nan")])
    figure = draw_means([make_run(1, num_epochs=3), broken], metric="test-accuracy")

    assert any(name.endswith("1 seed") for name in read_legend(figure))
    assert "(seed 1) at epoch 2" in read_notes(figure)
    only_broken = draw_means([broken], metric="test-accuracy")
    assert any("diverged" in text.get_text() for text in only_broken.axes[0].texts)


def test_nothing_begun_is_a_friendly_figure() -> None:
    figure = draw_means([make_run(1, num_epochs=0)], metric="test-accuracy")

    assert any("No epoch finished yet" in text.get_text() for text in figure.axes[0].texts)
