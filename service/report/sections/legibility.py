"""The study's claim that misclassified digits are missing portions or blurry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.statistics.paired import LEVEL
from lab.statistics.placement import MIN_CASES, MIN_CONTROLS, Placement, place_cases
from lab.wording import join_words
from service.mistakes.answers import Answers
from service.mistakes.legibility import measure_legibility
from service.report.blocks import Block, Finding, Standing, Table
from service.report.data import Material
from service.report.sections.leads import Outcome, sum_up

DEFINITIONS = (
    "Ink is the sum of all pixels, in white ones; pieces are what does not touch, of pixels from half of "
    "white on; stroke width is ink divided by half the length of its outline, in pixels; sharpness the mean "
    "slope of grey along the outline, 1 for white beside black."
)


@dataclass(frozen=True, kw_only=True)
class _Sign:
    """A measure of legibility, words for less and more of it, and which of the two the claim expects."""

    name: str
    less: str
    more: str
    expects_more: bool | None


SIGNS = (
    _Sign(name="ink", less="has less ink", more="has more ink", expects_more=False),
    _Sign(name="pieces", less="is in fewer pieces", more="is in more pieces", expects_more=True),
    _Sign(name="sharpness", less="is less sharp", more="is sharper", expects_more=False),
    _Sign(name="stroke_width", less="has thinner strokes", more="has wider strokes", expects_more=None),
)
CONFIDENCE = 1 - LEVEL / len(SIGNS)
"""Bonferroni: all intervals hold together with confidence 1 − level."""


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """A sign with the placement of the misclassified images by it."""

    sign: _Sign
    placement: Placement

    @property
    def outcome(self) -> Outcome:
        """Better where the images differ as the claim expects."""
        low, high = self.placement.low, self.placement.high
        if low is None or high is None:
            return "cannot_conclude"
        if low <= 0.5 <= high:
            return "no_difference_found"
        return "better" if (low > 0.5) == self.sign.expects_more else "worse"

    @property
    def found(self) -> str:
        """The direction in which the misclassified images differ, if they were found to."""
        if self.outcome == "cannot_conclude":
            return "–"
        if self.outcome == "no_difference_found":
            return "no difference found"
        return "more" if self.placement.chance > 0.5 else "less"

    def describe(self) -> str:
        """Describe the difference measured: “is less sharp than 64.8 % [53.8, 75.8]”."""
        is_more = self.placement.chance > 0.5
        words = self.sign.more if is_more else self.sign.less
        return f"{words} than {self.write_chance(is_more=is_more)}"

    def write_chance(self, *, is_more: bool = True) -> str:
        """Write the chance of a higher value, or of a lower one, with its interval if there is one."""
        chance, low, high = self.placement.chance, self.placement.low, self.placement.high
        if not is_more:
            chance, low, high = 1 - chance, *(None if end is None else 1 - end for end in (high, low))
        words = f"{100 * chance:.1f} %"
        return words if low is None or high is None else f"{words} [{100 * low:.1f}, {100 * high:.1f}]"


def judge_legibility(material: Material, answers: Answers) -> list[Block]:
    """Compare the images that most runs misclassify with the others of their class."""
    is_case = 2 * answers.is_missed.sum(axis=0) > len(answers.runs)
    compared = _compare(answers, is_case)
    words = [_describe_cases(answers, is_case, compared)]
    standing = Standing.CANNOT_CONCLUDE
    claimed = [one for one in compared if one.sign.expects_more is not None]
    if compared and compared[0].placement.num_cases >= MIN_CASES:
        standing = sum_up([one.outcome for one in claimed])
        words += _describe_outcomes(claimed)
    else:
        words.append(f"It takes {MIN_CASES} that can be compared with others of their class to conclude.")
    if not material.dataset.shows_digits:
        words.append("The study says it of digits; these are not digits.")
    finding = Finding("Misclassified images are missing portions or blurry", standing, words)
    return [finding, _tabulate(compared)] if compared else [finding]


def _compare(answers: Answers, is_case: NDArray[np.bool_]) -> list[_Compared]:
    """Place the cases by every sign; empty where there is nothing to compare."""
    if not is_case.any():
        return []
    measures = vars(measure_legibility(answers.images))
    placed = [
        (sign, place_cases(measures[sign.name], is_case, answers.labels, confidence=CONFIDENCE))
        for sign in SIGNS
    ]
    return [_Compared(sign=sign, placement=placement) for sign, placement in placed if placement]


def _describe_cases(answers: Answers, is_case: NDArray[np.bool_], compared: Sequence[_Compared]) -> str:
    num_runs, num_cases = len(answers.runs), int(is_case.sum())
    who = f"more than half of the {num_runs} completed runs" if num_runs > 1 else "the only completed run"
    words = f"Of {len(is_case):,} test images, {num_cases:,} are misclassified by {who}"
    num_placed = compared[0].placement.num_cases if compared else 0
    if num_placed < num_cases:
        words += f"; {num_placed:,} of them have {MIN_CONTROLS} others of their class to be compared with"
    return f"{words}. Missing portions would show as less ink or more pieces, blur as less sharpness."


def _describe_outcomes(claimed: Sequence[_Compared]) -> list[str]:
    """Describe what was found as claimed, what the other way round, and what not."""
    words = []
    for outcome, lead in (
        ("better", "As claimed, such an image, on average,"),
        ("worse", "Contrary to the claim, such an image, on average,"),
    ):
        if found := [one.describe() for one in claimed if one.outcome == outcome]:
            words.append(f"{lead} {join_words(found)} of the others of its class.")
    if unfound := [one for one in claimed if one.outcome == "no_difference_found"]:
        parts = [f"{one.sign.name}, higher than {one.write_chance()}" for one in unfound]
        words.append(f"No difference was found in {'; in '.join(parts)} of the others of its class.")
    return [
        *words,
        f"50 % would be no difference; ties count half. [ ] are {100 * CONFIDENCE:g} % intervals, so that "
        f"those of the {len(SIGNS)} measures hold together with 95 %, for other images like these and the "
        "runs at hand. What goes with being misclassified need not be its cause.",
    ]


def _tabulate(compared: Sequence[_Compared]) -> Table:
    interval = f"higher than [{100 * CONFIDENCE:g} %]"
    headings = ("measure", "misclassified, mean", "others, mean", interval, "found")
    return Table(
        headings=headings,
        rows=[
            (
                one.sign.name.replace("_", " "),
                f"{one.placement.case_mean:.3g}",
                f"{one.placement.control_mean:.3g}",
                one.write_chance(),
                one.found,
            )
            for one in compared
        ],
        caption=f"{DEFINITIONS} Others are those of the same class, each class weighing as much as among the "
        "misclassified.",
        text_columns=(headings[0], headings[-1]),
    )
