import io

import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from lab.experiments.architecture import ROWS, LayerDescription, describe_layers
from lab.experiments.configs import STUDY_GROUPS
from service.drawing.palette import NORMALIZATION_COLORS
from service.drawing.rendering import IMAGE_FORMATS, ImageFormat, render
from service.runs.architecture_figure import draw_architecture

pytestmark = pytest.mark.slow

TYPES = {"batch": "BatchNorm2d", "group": "GroupNorm", "layer": "LayerNorm", "instance": "InstanceNorm2d"}
TOTALS = {"batch": "7,940", "group": "7,940", "layer": "64,772", "instance": "7,748", "none": "7,748"}
NUM_BLOCKS = sum(row.is_block for row in ROWS)


def describe(normalization: str, *, dropout: float = 0.01) -> list[LayerDescription]:
    num_groups = STUDY_GROUPS if normalization == "group" else ()
    is_affine = normalization != "instance"
    return describe_layers(normalization, num_groups=num_groups, affine=is_affine, dropout=dropout)


def read_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def read_cells(figure: Figure) -> list[FancyBboxPatch]:
    return [
        patch
        for patch in figure.axes[0].patches
        if isinstance(patch, FancyBboxPatch) and patch.get_zorder() == 3
    ]


class TestArchitecture:
    @pytest.mark.parametrize("normalization", TYPES)
    def test_normalization_stands_in_its_color_after_the_convolution(self, normalization: str) -> None:
        figure = draw_architecture(describe(normalization), title=normalization)
        names = [text for text in figure.axes[0].texts if text.get_text() == TYPES[normalization]]
        assert len(names) == NUM_BLOCKS
        assert {name.get_fontweight() for name in names} == {"bold"}
        color = NORMALIZATION_COLORS[normalization]
        colored = [cell for cell in read_cells(figure) if same_color(cell.get_facecolor(), color)]
        assert len(colored) == NUM_BLOCKS
        convolutions = [text for text in figure.axes[0].texts if text.get_text() == "Conv2d"]
        relus = [text for text in figure.axes[0].texts if text.get_text() == "ReLU"]
        assert max(text.get_position()[0] for text in convolutions) < names[0].get_position()[0]
        assert names[0].get_position()[0] < min(
            text.get_position()[0] for text in relus if text in relus[1:8]
        )

    @pytest.mark.parametrize("normalization", TOTALS)
    def test_totals_are_those_of_the_study(self, normalization: str) -> None:
        texts = read_texts(draw_architecture(describe(normalization), title=normalization))
        assert TOTALS[normalization] in texts
        assert "1,534,452" in texts

    def test_every_row_has_its_number_shape_and_costs(self) -> None:
        texts = read_texts(draw_architecture(describe("layer"), title="layer + L2"))
        assert {str(row.number) for row in ROWS} <= set(texts)
        assert {"16×26×26", "8×12×12", "18×6×6", "10×1×1", "image 1×28×28"} <= set(texts)
        assert {"21,776", "incl. 21,632 γ, β", "663,552", "over 16×26×26", "p = 0.01"} <= set(texts)

    def test_there_is_a_cell_for_every_layer(self) -> None:
        layers = describe("batch")
        assert len(read_cells(draw_architecture(layers, title="batch"))) == len(layers)

    def test_bare_convolutions_and_pools_look_different_from_blocks(self) -> None:
        layers = describe("batch")
        cells = read_cells(draw_architecture(layers, title="batch"))
        looks: dict[str, set[object]] = {}
        for layer, cell in zip(layers, cells, strict=True):
            is_bare = layer.type == "Conv2d" and "1×1" in layer.detail
            kind = "bare" if is_bare else layer.type.replace("Max", "").replace("Avg", "")
            looks.setdefault(kind, set()).add((cell.get_facecolor(), cell.get_linestyle()))
        assert all(len(look) == 1 for look in looks.values())
        assert len({next(iter(look)) for look in looks.values()}) == len(looks)

    def test_without_normalization_and_dropout_it_says_so(self) -> None:
        texts = read_texts(draw_architecture(describe("none", dropout=0), title="none"))
        assert "No normalization" in texts
        assert texts.count("normalization") == 1  # the column's heading, and nothing in the legend
        assert "Dropout" not in texts

    def test_legend_names_every_kind_of_cell(self) -> None:
        texts = read_texts(draw_architecture(describe("group"), title="group"))
        assert {"pool", "bare 1×1 convolution", "normalization", "dropout", "log-softmax"} <= set(texts)
        assert texts.count("normalization") == 2

    def test_no_layers_is_a_friendly_figure(self) -> None:
        assert "The network has no layers." in read_texts(draw_architecture([], title="Empty"))

    @pytest.mark.parametrize("normalization", TOTALS)
    def test_texts_keep_apart(self, normalization: str) -> None:
        figure = draw_architecture(describe(normalization), title="t" * 200)
        figure.draw_without_rendering()
        texts = [text for text in figure.axes[0].texts if text.get_text()]
        boxes = [text.get_window_extent() for text in texts]
        for i, (text, box) in enumerate(zip(texts, boxes, strict=True)):
            assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
            assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1, text.get_text()
            for other in boxes[:i]:
                assert not box.padded(-0.5).overlaps(other), text.get_text()

    @pytest.mark.parametrize("normalization", TYPES)
    def test_details_fit_their_cells(self, normalization: str) -> None:
        figure = draw_architecture(describe(normalization), title=normalization)
        figure.draw_without_rendering()
        cells = [cell.get_window_extent() for cell in read_cells(figure)]
        for text in figure.axes[0].texts:
            if text.get_zorder() == 4 and text.get_text():
                box = text.get_window_extent()
                assert any(cell.x0 < box.x0 and box.x1 < cell.x1 for cell in cells), text.get_text()


class TestRendering:
    @pytest.mark.parametrize("image_format", IMAGE_FORMATS)
    def test_same_network_gives_the_same_bytes(self, image_format: ImageFormat) -> None:
        one, other = (draw_architecture(describe("batch"), title="Twice") for _ in range(2))
        assert render(one, image_format=image_format) == render(other, image_format=image_format)

    def test_files_are_what_they_claim(self) -> None:
        figure = draw_architecture(describe("group"), title="group + L1")
        with Image.open(io.BytesIO(render(figure, image_format="png"))) as picture:
            picture.load()
            assert picture.width == 1440
            assert 1200 < picture.height < 1600
        assert render(figure, image_format="pdf").startswith(b"%PDF-")
        assert b"<svg" in render(figure, image_format="svg")[:1000]
