"""Drawing, the misclassified images and the appendix, on two runs that a real worker has trained."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from lab.datasets.load import Dataset
from tests.dashboard.conftest import Complaints
from tests.processes import Processes
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

Point = tuple[float, float]
# As the embedded digits have it, with a bar through the stem; in shares of the sheet.
SEVEN: tuple[tuple[Point, ...], ...] = (
    ((0.25, 0.2), (0.75, 0.2), (0.45, 0.85)),
    ((0.35, 0.52), (0.7, 0.52)),
)
TRAINING = {
    "name": "Two normalizations",
    "configs": [{"normalization": "batch"}, {"normalization": "instance"}],
    "epochs": 5,
    # Small batches: what is learned from the embedded digits then holds for those drawn with a mouse, too.
    "batch_size": 16,
    "schedule": "onecycle",
}


@pytest.fixture(scope="module")
def trained(lab: Processes) -> Processes:
    """Experiment 1 has completed: run 1 with batch norm, run 2 with instance norm."""
    assert lab.client.post("/experiments", json=TRAINING).status_code == 202

    def is_completed() -> bool:
        return bool(lab.client.get("/experiments/1").json()["status"] == "completed")

    wait_until(is_completed, timeout_seconds=240, what="both runs are completed")
    return lab


def draw(page: Page, strokes: Sequence[Sequence[Point]]) -> None:
    """Draw with the mouse; points are in shares of the sheet's width and height."""
    box = page.locator(".sketch").bounding_box()
    assert box is not None
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=6)
        page.mouse.up()


def find_card(page: Page, label: str) -> Locator:
    return page.locator(".prediction-card").filter(has=page.get_by_text(label, exact=True))


@pytest.mark.usefixtures("trained")
class TestDraw:
    def test_a_seven_is_predicted_while_it_is_drawn(self, page: Page) -> None:
        page.goto("/#/draw")
        expect(page.get_by_text("Draw a digit: the predictions appear here.")).to_be_visible()
        draw(page, SEVEN[:1])
        expect(page.locator(".prediction-card")).to_have_count(2)
        draw(page, SEVEN[1:])

        batch = find_card(page, "batch")
        expect(batch.locator(".digit")).to_have_text("7")
        expect(batch.locator(".leads")).to_have_attribute("aria-label", re.compile(r"^7: \d+\.\d%$"))
        expect(batch.locator(".ten li")).to_have_count(10)
        expect(page.get_by_role("img", name="The networks’ input")).to_be_visible()

        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".prediction-card")).to_have_count(0)
        expect(page.get_by_role("button", name="Undo")).to_be_disabled()

    def test_the_pixels_that_mattered_are_shown_on_demand(self, page: Page) -> None:
        page.goto("/#/draw")
        draw(page, SEVEN)
        find_card(page, "batch").get_by_role("button").click()

        expect(page.get_by_role("img", name="Pixels behind the prediction of batch: 7")).to_be_visible()
        colors = page.locator(".network-input canvas").evaluate(
            "canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]"
        )
        pixels = [tuple(colors[i : i + 3]) for i in range(0, len(colors), 4)]
        assert (0, 0, 0) in pixels, "paper neither supports nor opposes"
        assert any(blue > red + 60 for red, _, blue in pixels), "nothing supports the prediction"
        find_card(page, "batch").get_by_role("button").click()
        expect(page.get_by_role("img", name="The networks’ input")).to_be_visible()

    def test_a_picture_file_is_predicted_instead(self, page: Page, digits: Dataset, tmp_path: Path) -> None:
        index = int((digits.test.labels == 0).nonzero()[0])
        path = tmp_path / "zero.png"
        Image.fromarray(255 - digits.test.images[index].numpy()).resize((280, 280)).save(path)
        page.goto("/#/draw")
        page.get_by_label("Experiments").select_option("1: Two normalizations (digits)")
        page.get_by_label("Picture file").set_input_files(path)

        expect(find_card(page, "batch").locator(".digit")).to_have_text("0")
        expect(page.get_by_text("Picture: zero.png")).to_be_visible()

    def test_what_is_no_picture_is_refused_in_the_api_s_words(
        self, page: Page, complaints: Complaints, tmp_path: Path
    ) -> None:
        path = tmp_path / "notes.png"
        path.write_text("not a picture")
        page.goto("/#/draw")
        page.get_by_label("Picture file").set_input_files(path)

        expect(page.get_by_role("alert")).to_contain_text("picture")
        # The browser itself complains of every refusal.
        assert all("422" in complaint for complaint in complaints)
        complaints.clear()


@pytest.mark.usefixtures("trained")
class TestMistakes:
    def test_filters_and_opens_an_image(self, page: Page, trained: Processes) -> None:
        known = trained.client.get("/experiments/1/misclassified?limit=500").json()
        wanted = known["images"][0]
        true, predicted = str(wanted["true"]), str(wanted["answers"][0]["predicted"])
        page.goto("/#/experiments/1/mistakes")
        tiles = page.locator(".mistakes .tile")
        expect(page.get_by_text(re.compile(r"at least one of 2 runs"))).to_be_visible()
        expect(tiles).to_have_count(min(60, known["num_images"]))

        page.get_by_label("Misclassified by", exact=True).select_option("every run")
        expect(tiles).to_have_count(len(known["missed_by_every_run"]))
        page.get_by_label("True class", exact=True).select_option(true)
        page.get_by_label("Predicted class", exact=True).select_option(predicted)
        name = re.compile(rf"^Test image \d+: {true} classified as .*2 of 2 runs")
        expect(tiles.first).to_have_accessible_name(name)

        tiles.first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("0 of 2 runs classify it correctly.")).to_be_visible()
        expect(dialog.locator(".ten li")).to_have_count(20)
        expect(dialog.locator(".ten .truth")).to_have_text([true, true])
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()

    def test_one_run_s_own_come_with_its_confidence(self, page: Page, trained: Processes) -> None:
        own = trained.client.get("/runs/2/misclassified").json()
        page.goto("/#/experiments/1/mistakes")
        page.get_by_label("Misclassified by", exact=True).select_option(value="run_id=2")

        tiles = page.locator(".mistakes .tile")
        most_confident = own["misclassified"][0]
        classes = f"{most_confident['true']} → {most_confident['predicted']}"
        expect(tiles.first).to_contain_text(classes)
        expect(tiles.first).to_contain_text(re.compile(r"^[^u]*\d+%$"))
        if own["num_misclassified"] > 60:
            page.get_by_role("button", name="more of").click()
            expect(tiles).to_have_count(min(120, own["num_misclassified"]))
        tiles.first.click()
        page.get_by_role("button", name="Next").click()
        expect(page.get_by_role("dialog")).to_contain_text(f"Test image {own['misclassified'][1]['index']}:")

    def test_an_experiment_that_is_not_there_is_said(self, page: Page, complaints: Complaints) -> None:
        page.goto("/#/experiments/99/mistakes")

        expect(page.get_by_role("alert")).to_contain_text("There is no experiment 99")
        complaints.clear()


class TestAppendix:
    def panel(self, page: Page, name: str) -> Locator:
        return page.locator(f".norm-panel[data-normalization={name}]")

    def test_a_changed_value_moves_the_means_of_its_sets(self, page: Page) -> None:
        page.goto("/#/appendix")
        batch, instance = self.panel(page, "batch"), self.panel(page, "instance")
        expect(batch).to_contain_text("−0.375")
        expect(page.locator(".steps").first).to_contain_text("16 values")

        value = page.get_by_label("image 1, channel 1, row 1, column 1", exact=True)
        value.fill("13")
        expect(batch.locator("dd").first).to_have_text("0.625")
        expect(instance.locator("dd").first).to_have_text("2.75")
        value.press("ArrowDown")
        expect(value).to_have_value("12")
        expect(instance.locator("dd").first).to_have_text("2.5")
        value.press("Control+ArrowRight")
        expect(page.get_by_label("image 1, channel 1, row 1, column 2", exact=True)).to_be_focused()

        page.get_by_role("button", name="Study sample").click()
        expect(batch.locator("dd").first).to_have_text("−0.375")

    def test_formulas_are_mathml_and_nothing_else_in_them_is_copied(self, page: Page) -> None:
        page.goto("/#/appendix")
        formulas = page.locator(".steps .formula math")
        expect(formulas.filter(has_text="0.375").first).to_be_visible()
        assert formulas.first.evaluate("math => math.namespaceURI").endswith("/MathML")
        copied = page.evaluate(
            """async () => {
                const { readMathml } = await import("/dashboard/appendix/mathml.js");
                const script = "<script xmlns='http://www.w3.org/1999/xhtml'>window.ran = 1</script>";
                const text = `<math onclick='1'><mn href='#'>2</mn>${script}<img src='x'/></math>`;
                const math = readMathml(text);
                document.body.append(math);
                return [math.outerHTML, window.ran ?? null];
            }"""
        )
        assert copied == ["<math><mn>2</mn></math>", None]

    def test_pointing_lights_what_shares_a_mean(self, page: Page) -> None:
        page.goto("/#/appendix")
        expect(self.panel(page, "batch")).to_contain_text("4 sets of 16 values")
        page.get_by_label("image 2, channel 3, row 1, column 1", exact=True).hover()

        counts = {"batch": 4, "group": 2, "layer": 4, "instance": 1}
        for name, count in counts.items():
            expect(self.panel(page, name).locator(".block.lit")).to_have_count(count)
        expect(page.locator(".editor .dimming .block.lit")).to_have_count(4)

        page.get_by_role("radio", name="Group").check(force=True)
        page.locator(".steps li").nth(3).hover()
        expect(page.locator(".editor .dimming .block.lit")).to_have_count(2)
        page.locator(".chip-value").nth(5).hover()
        expect(page.locator(".editor .here")).to_have_accessible_name("image 1, channel 2, row 1, column 2")

    def test_a_picked_value_goes_through_the_layer_and_a_channel_through_inference(self, page: Page) -> None:
        page.goto("/#/appendix")
        normalized, scaled = (page.locator(".steps").first.locator("li").nth(index) for index in (7, 8))
        expect(normalized).to_contain_text("≈−1.257237")
        expect(scaled).to_contain_text("y=γx^+β")
        inference = page.get_by_role("region", name="At inference")
        expect(inference).to_contain_text("=1.365")
        expect(inference).to_contain_text("≈−2.53567")

        page.get_by_label("image 4, channel 1, row 1, column 1", exact=True).click()
        expect(normalized).to_contain_text("≈1.616448")
        page.get_by_label("image 4, channel 2, row 1, column 1", exact=True).click()
        expect(inference).to_contain_text("=0.04375")
        page.get_by_role("radio", name="Instance").check(force=True)
        expect(inference).to_contain_text("Instance norm keeps no running statistics")
        expect(inference.locator("li")).to_have_count(0)

    def test_any_size_that_fits(self, page: Page, complaints: Complaints) -> None:
        page.goto("/#/appendix")
        page.get_by_role("button", name="More channels").click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("groups=2 does not divide 5 channels; 1 and 5 would")

        page.get_by_label("Groups").fill("5")
        expect(alert).to_be_hidden()
        expect(self.panel(page, "group")).to_contain_text("20 sets of 4 values")
        page.get_by_role("button", name="Fewer images").click()
        expect(self.panel(page, "batch")).to_contain_text("5 sets of 12 values")
        complaints.clear()

    def test_bad_input_is_refused_in_the_api_s_words(self, page: Page, complaints: Complaints) -> None:
        page.goto("/#/appendix")
        value = page.get_by_label("image 1, channel 1, row 1, column 1", exact=True)
        value.fill("many")

        expect(page.get_by_role("alert")).to_contain_text("pixels[0][0][0][0] is text")
        value.fill("4")
        expect(page.get_by_role("alert")).to_be_hidden()
        complaints.clear()
