"""The appendix as Markdown and as a page, and the working both are written from."""

import re
from fractions import Fraction
from html.parser import HTMLParser
from typing import Any

import pytest

from service.appendix.document import write_markdown
from service.appendix.notation import Latex, MathMl, find_root, write_decimal
from service.appendix.page import read_stylesheet, write_body, write_html
from service.appendix.sample import STUDY_SAMPLE
from service.appendix.statistics import NORMALIZATIONS, work_out
from service.appendix.tensor import Sample
from service.appendix.working import write_latex, write_steps

STUDY = work_out(STUDY_SAMPLE)
GROUP = STUDY.sets["group"][0]
VOID_ELEMENTS = {"meta", "br", "hr", "img"}


class PageReader(HTMLParser):
    """Collects text and elements, and checks that every element is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def make_sample(*, name: str, note: str) -> Sample:
    return Sample(pixels=((((Fraction(1), Fraction(2)),),),), channel_names=(name,), notes=(note,))


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "text"),
        [("-3/8", "-0.375"), ("7", "7"), ("100", "100"), ("1/3", "0.333333"), ("1/100000000", "0.00000001")],
    )
    def test_decimal_is_whole_where_it_is_short(self, value: str, text: str) -> None:
        assert write_decimal(Fraction(value)) == text

    def test_root_is_exact_only_for_squares(self) -> None:
        assert find_root(Fraction(9, 4)) == Fraction(3, 2)
        assert find_root(Fraction(55, 16)) is None

    def test_a_repeating_decimal_is_written_as_its_ratio(self) -> None:
        assert Latex().number(Fraction(-1, 3)) == r"-\frac{1}{3}"
        assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>3</mn></mrow></mfrac>" in MathMl().number(
            Fraction(-1, 3)
        )

    def test_large_rounded_numbers_have_a_power_of_ten(self) -> None:
        assert Latex().number(Fraction(10**20, 7)) == r"1.42857 \cdot 10^{19}"


class TestWorking:
    def test_group_set_is_worked_out_in_seven_steps(self) -> None:
        steps = {step.name: step for step in write_steps(GROUP, notation=Latex())}
        assert list(steps) == [
            "values",
            "sum",
            "count",
            "mean",
            "squared deviations",
            "variance",
            "standard deviation",
        ]
        latex = {name: " ".join(step.pieces) for name, step in steps.items()}
        assert latex["sum"] == r"\sum x = -3 + (-2) + 1 + (-1) + 2 + (-2) + 2 + 1 = -2"
        assert steps["count"].words == "1 image × 2 channels × 2 rows × 2 columns."
        assert latex["count"] == r"n = 1 \cdot 2 \cdot 2 \cdot 2 = 8"
        assert latex["mean"] == r"\mu = \frac{-2}{8} = -\frac{1}{4} = -0.25"
        assert latex["squared deviations"].startswith("(-3 - (-0.25))^2 = 7.5625, (-2 - (-0.25))^2 = 3.0625,")
        assert latex["variance"].endswith(r"= \frac{27.5}{8} = \frac{55}{16} = 3.4375")
        assert latex["standard deviation"] == r"\sigma = \sqrt{3.4375} \approx 1.85405"

    def test_latex_is_one_block_with_every_brace_closed(self) -> None:
        for name in NORMALIZATIONS:
            for one in STUDY.sets[name]:
                latex = write_latex(one)
                assert latex.startswith(r"\begin{aligned} n &=")
                assert latex.endswith(r"\end{aligned}")
                assert latex.count("{") == latex.count("}")
                assert latex.count(r" \\ ") == 3

    def test_exact_root_is_an_equality(self) -> None:
        assert r"\sigma &= \sqrt{2.25} = 1.5 \end" in write_latex(STUDY.sets["instance"][4])

    def test_long_sums_lose_their_middle(self) -> None:
        one = work_out([[[list(range(100))]]], groups=1).sets["batch"][0]
        latex = write_latex(one)
        assert latex.count(r"\cdots") == 2
        assert r"= \frac{4950}{100} = \frac{99}{2} = 49.5" in latex

    def test_rounded_numbers_are_not_called_equal(self) -> None:
        one = work_out([[[[0.12345678901, 0.2]]]], groups=1).sets["batch"][0]
        sums = " ".join(write_steps(one, notation=Latex())[1].pieces)
        assert sums == r"\sum x \approx 0.123457 + 0.2 \approx 0.323457"


class TestMarkdown:
    def test_tables_hold_the_figures_of_every_set(self) -> None:
        text = write_markdown(STUDY)
        assert (
            "| image 1, blue + green | 8 | $-2$ "
            r"| $-\frac{1}{4} = -0.25$ | $\frac{55}{16} = 3.4375$ | 1.85405 |" in text
        )
        for name in NORMALIZATIONS:
            for one in STUDY.sets[name]:
                assert f"| {one.label}" in text

    def test_notes_come_before_the_figures_and_filled_in_values_are_marked(self) -> None:
        text = write_markdown(STUDY)
        assert text.index("2.938") < text.index("## The values") < text.index("## Batch norm")
        assert "| image 2 | -1 2<br>-1 2 | *1* *0*<br>*-2* *3* |" in text
        assert r"| image 2, all channels \* |" in text

    def test_formula_and_inference_are_worked_out(self) -> None:
        text = write_markdown(STUDY)
        assert r"$$\hat{x} = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}$$" in text
        assert r"| Batch norm, at inference | $-\frac{3}{80} = -0.0375$ |" in text
        assert text.count("**scaled and shifted**") == sum(map(len, STUDY.sets.values())) + 1
        inference = text[text.index("### At inference") : text.index("## Layer norm")]
        assert r"| blue | $-\frac{3}{8} = -0.375$ | $\frac{93}{20} = 4.65$ |" in inference
        assert r"= 0.9 \cdot 1 + 0.1 \cdot 4.65 = 1.365$" in inference

    def test_headings_start_at_the_level_given(self) -> None:
        text = write_markdown(STUDY, title="Sums", level=2)
        assert text.startswith("## Sums\n\nN = 4")
        assert text.replace("## Sums\n\n", "", 1) == write_markdown(STUDY, title=None, level=2)
        assert re.sub("^#", "", text, flags=re.MULTILINE) == write_markdown(STUDY, title="Sums")

    def test_dollar_signs_come_in_pairs_on_every_line(self) -> None:
        assert [line for line in write_markdown(STUDY).splitlines() if line.count("$") % 2] == []

    def test_markup_in_names_and_notes_stays_text(self) -> None:
        text = write_markdown(work_out(make_sample(name="a|b", note="<b>*$"), groups=1))
        assert r"all channels" not in text
        assert r"image 1, a\|b" in text
        assert r"- \<b\>\*\$" in text


class TestPage:
    def test_page_needs_nothing_from_elsewhere_and_runs_nothing(self) -> None:
        page = write_html(STUDY)
        reader = PageReader(page)
        tags = {tag for tag, _ in reader.elements}
        assert not tags & {"script", "link", "img", "iframe", "object", "base"}
        assert not [a for _, attributes in reader.elements for a in attributes if a.startswith("on")]
        assert not re.search(r"https?:|url\(|@import|\bsrc=|\bhref=", page)

    def test_page_is_its_stylesheet_and_body(self) -> None:
        page = write_html(STUDY)
        assert read_stylesheet() in page
        assert write_body(STUDY) in page
        assert all(f".c{index} {{ --fill: #" in read_stylesheet() for index in range(8))

    def test_page_shows_notes_first_then_a_section_per_normalization(self) -> None:
        page = write_html(STUDY)
        places = [
            page.index('class="notes"'),
            *(page.index(f'<section id="{name}">') for name in NORMALIZATIONS),
        ]
        assert places == sorted(places)
        assert "2.938" in PageReader(page).text

    def test_every_set_has_its_row_and_its_working(self) -> None:
        reader = PageReader(write_html(STUDY))
        opened = [tag for tag, _ in reader.elements]
        worked = sum(len(STUDY.sets[name]) for name in NORMALIZATIONS)
        assert opened.count("details") == worked + 4
        assert reader.text.count("normalized value") == worked + 4
        assert reader.text.count("unbiased variance:") == 4
        assert reader.text.count("image 1, yellow + brown") == 2
        assert "1.85405" in reader.text

    def test_one_value_is_followed_through_every_normalization(self) -> None:
        text = " ".join(PageReader(write_html(STUDY)).text.split())
        assert "−3 (image 1, blue, row 1, column 1) in each of them, with ε = 0, γ = 1, β = 0." in text
        for row in (
            "Batch norm −0.3750 4.3594 −1.2572 −1.2572",
            "Group norm −0.2500 3.4375 −1.4832 −1.4832",
            "Batch norm, at inference −0.0375 1.3650 −2.5357 −2.5357",
        ):
            assert row.replace(" ", "") in text.replace(" ", "")

    def test_a_single_value_per_channel_has_no_inference(self) -> None:
        text = PageReader(write_html(work_out([[[[1]], [[2]]]]))).text
        assert "The formula" in text
        assert "At inference" not in text

    def test_filled_in_values_are_in_italics(self) -> None:
        reader = PageReader(write_html(STUDY))
        assert [tag for tag, _ in reader.elements].count("em") == 36 * len(NORMALIZATIONS)

    def test_markup_in_names_and_notes_stays_text(self) -> None:
        page = write_html(work_out(make_sample(name="<i>&", note="<script>alert(1)</script>"), groups=1))
        reader = PageReader(page)
        assert not {"script", "i"} & {tag for tag, _ in reader.elements}
        assert "<script>alert(1)</script>" in reader.text
        assert "image 1, <i>&" in reader.text


@pytest.mark.parametrize("write", [write_markdown, write_html])
def test_only_the_first_64_sets_of_many_are_worked_out(write: Any) -> None:
    text = write(work_out([[[[value]] for value in range(65)]], groups=1))
    assert text.count("The first 64 of 65 sets are worked out") == 2
    assert text.count("image 1, channel 65") == 2
