import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, TypeGuard

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image

from service.drawing.canvas import clean_text
from service.drawing.palette import (
    NORMALIZATION_COLORS,
    Configuration,
    pick_text_color,
    style_configurations,
    style_line,
)
from service.drawing.rendering import IMAGE_FORMATS, ImageFormat, render
from service.plots.curves import METRICS, RunCurves, draw_metric, draw_overview, draw_run

pytestmark = pytest.mark.slow

STUDY = (
    ("batch + L1 + L2", "batch", "l1+l2", 99.1, 0.036),
    ("group + L1", "group", "l1", 99.3, 0.022),
    ("layer + L2", "layer", "l2", 98.9, 0.068),
    ("instance + L1 + L2", "instance", "l1+l2", 96.4, 0.38),
)


def make_run(
    number: int = 1, *, num_epochs: int = 25, seed: int = 0, has_validation: bool = False, **changes: Any
) -> RunCurves:
    """The curves of one of the study's runs, climbing from 80 % without noise."""
    label, normalization, penalty, best, least = STUDY[number % 4]
    decay = [math.exp(-epoch / 2) for epoch in range(num_epochs)]
    accuracy = [(best - (best - 80) * rest) / 100 for rest in decay]
    loss = [least + (0.6 - least) * rest for rest in decay]
    curves: dict[str, Any] = {
        "run_id": number,
        "label": label,
        "normalization": normalization,
        "penalty": penalty,
        "seed": seed,
        "epochs": list(range(1, num_epochs + 1)),
        "train_loss": [0.9 * value for value in loss],
        "train_accuracy": [value - 0.002 for value in accuracy],
        "validation_loss": loss if has_validation else [None] * num_epochs,
        "validation_accuracy": accuracy if has_validation else [None] * num_epochs,
        "test_loss": loss,
        "test_accuracy": accuracy,
    }
    return RunCurves(**{**curves, **changes})


def make_study(num_epochs: int = 25) -> list[RunCurves]:
    return [make_run(number, num_epochs=num_epochs) for number in range(4)]


def find_line(figure: Figure, name: str) -> Line2D:
    return next(line for line in figure.axes[0].get_lines() if line.get_label() == name)


def read_values(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_ydata()) if math.isfinite(value)]


def read_texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def read_legend(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def assert_all_on_page(figure: Figure) -> None:
    """Nothing leaves the page, and neither panels, legend nor the two titles of a panel overlap."""
    figure.draw_without_rendering()
    inches, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert 0 <= inches.x0 <= inches.x1 <= width
    assert 0 <= inches.y0 <= inches.y1 <= height
    boxes = [legend.get_window_extent() for legend in figure.legends]
    boxes += [box for panel in figure.axes if (box := panel.get_tightbbox())]
    boxes += [text.get_window_extent() for text in figure.texts if text.get_text()]
    if len(boxes) > 1:
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for panel in figure.axes:
        titles = [text.get_window_extent() for text in panel.get_children() if is_title(panel, text)]
        assert not any(one.overlaps(other) for one, other in combinations(titles, 2))


def is_title(panel: Axes, artist: Artist) -> TypeGuard[Text]:
    words = [panel.get_title(loc=side) for side in ("left", "center", "right")]
    return isinstance(artist, Text) and bool(artist.get_text()) and artist.get_text() in words


class TestPalette:
    def test_same_configuration_keeps_its_look_in_every_subset(self) -> None:
        study = make_study()
        whole = draw_metric(study, metric="test-accuracy")
        part = draw_metric([study[2], study[0]], metric="train-loss")
        for run in (study[0], study[2]):
            one, other = find_line(whole, run.label), find_line(part, run.label)
            assert same_color(one.get_color(), NORMALIZATION_COLORS[run.normalization])
            assert one.get_color() == other.get_color()
            assert one.get_marker() == other.get_marker()
            assert one.get_linestyle() == other.get_linestyle()

    def test_normalizations_differ_in_color_and_penalties_in_dashes(self) -> None:
        assert len({style_line(name, "l1").color for name in NORMALIZATION_COLORS}) == 5
        assert len({style_line("batch", name).linestyle for name in ("none", "l1", "l2", "l1+l2")}) == 4
        assert style_line("batch", "none").linestyle == (0, ())

    def test_configurations_that_differ_elsewhere_get_markers_of_their_own(self) -> None:
        alike = [Configuration(label=f"dropout {i}", normalization="batch", penalty="l1") for i in range(12)]
        styles = style_configurations(alike)
        assert len({style.marker for style in styles.values()}) == 12
        assert styles == style_configurations(reversed(alike))

    def test_thirteenth_marker_is_still_a_look(self) -> None:
        alike = [Configuration(label=str(i), normalization="batch", penalty="l1") for i in range(13)]
        assert len(style_configurations(alike)) == 13

    def test_text_contrasts_with_its_background(self) -> None:
        assert pick_text_color("#0072B2") == "white"
        assert pick_text_color("#CC79A7") == "black"


class TestMetric:
    def test_axes_carry_measure_unit_and_whole_epochs(self) -> None:
        panel = draw_metric(make_study(), metric="test-accuracy").axes[0]
        assert panel.get_ylabel() == "Test accuracy (%)"
        assert panel.get_xlabel() == "Epoch"
        assert list(panel.get_xticks()) == [1, 5, 10, 15, 20, 25]

    def test_zooms_to_the_later_epochs_and_says_what_it_cuts(self) -> None:
        figure = draw_metric(make_study(), metric="test-accuracy")
        low, high = figure.axes[0].get_ylim()
        assert 90 < low < 96.4
        assert 99.3 < high < 100.5
        assert "values below the axis, down to 80" in read_texts(figure)

    def test_shows_everything_when_nothing_climbs(self) -> None:
        figure = draw_metric([make_run(test_accuracy=[0.99] * 24 + [0.991])], metric="test-accuracy")
        assert "below the axis" not in read_texts(figure)

    def test_run_that_learned_nothing_does_not_flatten_the_others(self) -> None:
        dead = make_run(2, test_accuracy=[0.1135] * 25)
        figure = draw_metric([make_run(0), make_run(1), dead], metric="test-accuracy")
        assert figure.axes[0].get_ylim()[0] > 95
        assert "all of layer + L2" in read_texts(figure)

    @pytest.mark.parametrize(("number", "words"), [(1, "all of 0 a label that goes"), (3, "3 runs entirely")])
    def test_what_is_cut_leaves_room_for_the_title(self, number: int, words: str) -> None:
        flat = [0.1] * 25
        dead = [
            make_run(2, label=f"{i} a label that goes on and on", test_accuracy=flat, train_accuracy=flat)
            for i in range(number)
        ]
        runs = [make_run(i % 2, seed=i) for i in range(8)]
        figure = draw_overview([*runs, *dead], title="Some learned nothing")
        assert words in read_texts(figure)
        assert_all_on_page(figure)

    def test_loss_is_logarithmic_over_more_than_a_decade_only(self) -> None:
        wide = draw_metric(make_study(), metric="test-loss").axes[0]
        assert wide.get_yscale() == "log"
        assert wide.get_ylabel() == "Test loss (cross-entropy, nats), log scale"
        assert wide.get_ylim()[0] < 0.022 < 0.6 < wide.get_ylim()[1]
        assert draw_metric([make_run(3)], metric="test-loss").axes[0].get_yscale() == "linear"

    def test_loss_that_blew_up_is_cut_and_reported(self) -> None:
        wild = make_run(2, test_loss=[*make_run(2).test_loss[:24], 3e12])
        figure = draw_metric([make_run(1), wild], metric="test-loss")
        assert figure.axes[0].get_ylim()[1] < 20
        assert "1 value above the axis, up to 3e+12" in read_texts(figure)

    def test_one_epoch_is_a_visible_marker(self) -> None:
        figure = draw_metric(make_study(1), metric="train-loss")
        for run in make_study(1):
            line = find_line(figure, run.label)
            assert line.get_marker() not in ("", "None", None)
            assert line.get_markevery() == [0]
        assert list(figure.axes[0].get_xticks()) == [1]

    def test_unequal_numbers_of_epochs(self) -> None:
        runs = [make_run(0), make_run(1, num_epochs=3), make_run(2, num_epochs=0)]
        figure = draw_metric(runs, metric="test-accuracy")
        assert len(read_values(find_line(figure, "group + L1"))) == 3
        assert read_legend(figure) == ["batch + L1 + L2", "group + L1"]
        assert "1 of 3 runs have not finished an epoch yet." in read_texts(figure)

    @pytest.mark.parametrize("metric", METRICS)
    def test_no_epoch_yet_is_a_friendly_figure(self, metric: Any) -> None:
        assert "No epoch finished yet" in read_texts(draw_metric(make_study(0), metric=metric))
        assert "No epoch finished yet" in read_texts(draw_metric([], metric=metric))


class TestSeeds:
    def test_seeds_collapse_to_one_legend_entry_with_their_mean(self) -> None:
        runs = [
            make_run(number, seed=seed, test_accuracy=[0.98 + seed / 1000] * 25)
            for number in range(4)
            for seed in range(6)
        ]
        figure = draw_metric(runs, metric="test-accuracy")
        assert read_legend(figure) == [f"{run.label}, mean of seeds 0–5" for run in runs[::6]]
        mean, thin = (find_line(figure, f"group + L1, {which}") for which in ("mean of seeds 0–5", "seed 3"))
        assert read_values(mean) == pytest.approx([98.25] * 25)
        assert mean.get_linewidth() > thin.get_linewidth()
        assert mean.get_color() == thin.get_color()
        assert thin.get_alpha() is not None

    def test_mean_ends_where_the_slowest_seed_is_and_leaves_out_the_diverged(self) -> None:
        broken = make_run(1, seed=2, test_loss=[math.nan] * 25)
        figure = draw_metric(
            [make_run(1, seed=0), make_run(1, seed=1, num_epochs=4), broken], metric="test-accuracy"
        )
        assert len(read_values(find_line(figure, "group + L1, mean of seeds 0–1"))) == 4

    def test_single_seeds_that_differ_are_named(self) -> None:
        figure = draw_metric([make_run(0, seed=3), make_run(1, seed=4)], metric="test-loss")
        assert read_legend(figure) == ["batch + L1 + L2, seed 3", "group + L1, seed 4"]

    def test_legend_of_120_runs_stays_on_the_page(self) -> None:
        runs = [make_run(i, seed=i // 20, label=f"configuration {i % 20}") for i in range(120)]
        figure = draw_overview(runs, title="A large grid")
        assert len(read_legend(figure)) <= 80
        assert_all_on_page(figure)


class TestDiverged:
    @pytest.mark.parametrize("value", [math.nan, math.inf, None])
    def test_line_ends_and_the_figure_says_so(self, value: float | None) -> None:
        losses = [*make_run().test_loss[:4], *[value] * 21]
        diverged = make_run(1, test_loss=losses, test_accuracy=[0.97] * 4 + [0.098] * 21)
        figure = draw_overview([make_run(0), diverged], title="One diverged")
        assert "diverged, no longer a finite loss: group + L1 (seed 0) at epoch 5" in read_texts(figure)
        assert figure.axes[1].get_ylim()[0] > 90
        assert len(read_values(find_line(figure, "group + L1"))) == 4

    def test_nothing_but_diverged_runs_is_drawn_without_a_warning(self) -> None:
        lost = replace(make_run(), train_loss=[math.nan] * 25, test_loss=[math.inf] * 25)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for figure in (draw_overview([lost], title="Lost"), draw_run(lost, quantity="loss")):
                assert "diverged" in read_texts(figure)
                assert render(figure, image_format="png").startswith(b"\x89PNG")


class TestRun:
    def test_marks_the_best_validation_epoch(self) -> None:
        validation = [0.9] * 25
        validation[16] = 0.995
        run = make_run(validation_accuracy=validation)
        figure = draw_run(run, quantity="accuracy")
        assert read_legend(figure) == ["train", "validation", "test"]
        expected = f"Best validation epoch: 17, test accuracy {100 * (run.test_accuracy[16] or 0):.2f} %"
        assert expected in read_texts(figure)

    def test_marks_the_last_epoch_without_validation(self) -> None:
        figure = draw_run(make_run(), quantity="loss")
        assert read_legend(figure) == ["train", "test"]
        assert "Last epoch: 25, test loss 0.0220" in read_texts(figure)
        assert same_color(find_line(figure, "test").get_color(), NORMALIZATION_COLORS["group"])

    def test_lowest_validation_loss_counts(self) -> None:
        run = make_run(has_validation=True, validation_loss=[0.5, 0.1, 0.4], num_epochs=3)
        assert "Best validation epoch: 2" in read_texts(draw_run(run, quantity="loss"))

    def test_no_epoch_yet(self) -> None:
        assert "No epoch finished yet." in read_texts(draw_run(make_run(num_epochs=0), quantity="loss"))


class TestOverview:
    def test_has_four_titled_panels_one_legend_and_a_scale_for_each_row(self) -> None:
        figure = draw_overview(make_study(), title="The study")
        titles = [panel.get_title(loc="left") for panel in figure.axes]
        assert titles == ["Train accuracy", "Test accuracy", "Train loss", "Test loss"]
        assert read_legend(figure) == [run.label for run in make_study()]
        limits = [panel.get_ylim() for panel in figure.axes]
        assert limits[0] == limits[1]
        assert limits[2] == limits[3]

    def test_any_label_is_shown_as_it_is(self) -> None:
        labels: Sequence[str] = (r"$\frac{$", "_hidden", "x" * 200, "two\nlines")
        figure = draw_overview([make_run(i, label=label) for i, label in enumerate(labels)], title="$ {")
        assert_all_on_page(figure)
        assert len(read_legend(figure)) == 4
        assert read_legend(figure)[1] == "_hidden"
        assert read_legend(figure)[3] == "two lines"
        assert clean_text("x" * 200, max_length=10) == "x" * 9 + "…"


class TestRendering:
    @pytest.mark.parametrize("image_format", IMAGE_FORMATS)
    def test_same_runs_give_the_same_bytes(self, image_format: ImageFormat) -> None:
        figure = draw_overview(make_study(), title="The study")
        drawn = render(figure, image_format=image_format)
        assert drawn == render(figure, image_format=image_format)
        assert drawn == render(draw_overview(make_study(), title="The study"), image_format=image_format)

    def test_files_are_what_they_claim(self) -> None:
        figure = draw_metric(make_study(), metric="test-accuracy")
        with Image.open(io.BytesIO(render(figure, image_format="png"))) as picture:
            picture.load()
            assert picture.width == 1440
            assert 800 < picture.height < 1100
        assert render(figure, image_format="pdf").startswith(b"%PDF-")
        assert b"<svg" in render(figure, image_format="svg")[:1000]

    @pytest.mark.parametrize("num_epochs", [0, 1, 2, 25, 300])
    def test_nothing_leaves_the_page(self, num_epochs: int) -> None:
        assert_all_on_page(draw_overview(make_study(num_epochs), title="The study"))
        assert_all_on_page(draw_metric(make_study(num_epochs), metric="test-loss"))
