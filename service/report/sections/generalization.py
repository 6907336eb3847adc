"""The study's claim that its penalties make the network generalize better: gaps with and without them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.experiments.factors import describe_level
from lab.wording import count_words, format_points, format_signed_points, join_words
from service.comparison.finding import Finding as Judged
from service.comparison.schemas import ComparisonOut
from service.comparison.verdicts import Question, judge
from service.report.blocks import Block, Finding, Standing, Table
from service.report.data import Material
from service.report.sections.leads import Outcome, find_lead, sum_up, turn, write_difference, write_range

Gaps = NDArray[np.float64]

MOST_LISTED = 30
FOUND: dict[Outcome, str] = {
    "better": "lower",
    "worse": "higher",
    "practically_same": "practically the same",
    "no_difference_found": "no difference found",
    "cannot_conclude": "cannot conclude",
}
"""The finding on the gap with a penalty, in words."""

GAP = (
    "The gap is training accuracy minus test accuracy after the last epoch. Both are measured alike, in eval "
    "mode, without dropout and on undistorted images; it can be negative."
)
STUDY_GAPS = (
    "The study's own gaps, −0.17 points (batch), −0.14 (group), +0.07 (layer) and −0.71 (instance), are of "
    "another kind: its training accuracy was measured during the epoch, with dropout, on distorted images."
)
"""Its last training accuracies minus its last test accuracies, one seed."""


@dataclass(frozen=True, kw_only=True)
class _Contrast:
    """Pairs of configurations that differ in the penalty alone, (with, without); averaged if several."""

    name: str
    labels: tuple[tuple[str, str], ...]


def explain_untested(material: Material) -> Finding:
    """Say why the study cannot tell what its penalties do, with the gaps there are."""
    gaps = []
    for result in material.results:
        if (gap := result.accuracy_gap) is not None:
            ends = None if gap.ci_low is None or gap.ci_high is None else (gap.ci_low, gap.ci_high)
            interval = f" {write_range(ends)}" if ends else ""
            gaps.append(f"{result.label} {format_signed_points(gap.mean)}{interval}")
    return Finding(
        "The penalties make the network generalize better",
        Standing.UNTESTED,
        [
            "Every configuration of the study has a penalty, so nothing here shows what one does; a grid "
            "with and without penalties does.",
            f"Mean gaps here, in points, with 95 % intervals from two seeds on: {', '.join(gaps)}.",
            GAP,
            STUDY_GAPS,
        ],
    )


def write_generalization(material: Material, comparison: ComparisonOut) -> list[Block]:
    """Judge whether penalties lower the gap between training and test accuracy, all else equal.

    Nothing is written where no two configurations differ in the penalty alone, one of them without.
    """
    pairs = _find_pairs(material, comparison)
    if not pairs:
        return []
    penalties = _group_by_penalty(material, pairs)
    gaps = _read_gaps(material)
    questions = [_ask(gaps, contrast) for contrast in [*penalties, *pairs]]
    # A family of its own: the comparison asserts nothing about gaps.
    findings = judge(questions, margin=comparison.margin, level=material.experiment.level)
    of_penalties, of_pairs = findings[: len(penalties)], findings[len(penalties) :]
    leads = [find_lead(comparison, *pair.labels[0]) for pair in pairs]
    is_tuned = material.experiment.is_tuned
    equal = "each at its own learning rate, all else equal" if is_tuned else "all else equal"
    words = [
        "If penalties make the network generalize better, the gap should be lower with one, and test "
        f"accuracy higher. Over {count_words(len(pairs), 'pair')} with and without a penalty, {equal}, "
        f"the gap is {_count(_turn(of_pairs), 'lower', 'higher')}; test accuracy is "
        f"{_count([lead.outcome for lead in leads], 'higher', 'lower')}.",
        *(
            f"{contrast.name}: lower by {write_difference(finding, unit=' points')}; {finding.verdict}."
            for contrast, finding in list(zip(penalties, of_penalties, strict=True))[:MOST_LISTED]
        ),
        GAP,
    ]
    rows = [
        (
            pair.name,
            *_write_means(question),
            write_difference(finding),
            FOUND[turn(finding.outcome, 1)],
            write_difference(lead),
        )
        for pair, question, finding, lead in zip(
            pairs, questions[len(penalties) :], of_pairs, leads, strict=True
        )
    ]
    return [
        Finding(
            "Penalties lower the gap between training and test accuracy", sum_up(_turn(of_penalties)), words
        ),
        _tabulate(rows, margin=comparison.margin, level=material.experiment.level),
    ]


def _find_pairs(material: Material, comparison: ComparisonOut) -> list[_Contrast]:
    """Find the pairs that differ in the penalty alone, one of them without any."""
    configs = {one.label: one.config for one in material.experiment.configurations}
    is_plain = {label: config.penalty == "none" for label, config in configs.items()}
    labels = [
        (pair.b, pair.a) if is_plain[pair.a] else (pair.a, pair.b)
        for pair in comparison.pairs
        if pair.differing == ["penalty"] and is_plain[pair.a] != is_plain[pair.b]
    ]
    return [_Contrast(name=f"{one} against {other}", labels=((one, other),)) for one, other in labels]


def _group_by_penalty(material: Material, pairs: Sequence[_Contrast]) -> list[_Contrast]:
    """For each penalty its pair, or the average of its pairs."""
    configs = {one.label: one.config for one in material.experiment.configurations}
    by_penalty: dict[str, list[_Contrast]] = {}
    for pair in pairs:
        config = configs[pair.labels[0][0]]
        by_penalty.setdefault(describe_level("penalty", (config.l1, config.l2)), []).append(pair)
    return [
        _Contrast(
            name=f"Penalty {penalty}, averaged over {len(group)} pairs",
            labels=tuple(pair.labels[0] for pair in group),
        )
        if len(group) > 1
        else group[0]
        for penalty, group in by_penalty.items()
    ]


def _read_gaps(material: Material) -> dict[str, Gaps]:
    """Read each configuration's gaps by label, (seeds,), NaN where a run has not completed."""
    columns = {seed: column for column, seed in enumerate(material.seeds)}
    gaps = {one.label: np.full(len(columns), np.nan) for one in material.experiment.configurations}
    for row in material.rows:
        if row.status == "completed" and row.accuracy_gap is not None:
            gaps[row.label][columns[row.seed]] = row.accuracy_gap
    return gaps


def _ask(gaps: Mapping[str, Gaps], contrast: _Contrast) -> Question:
    """Ask whether the gap without the penalty, the first, is higher than that with it."""
    penalized, plain = (np.mean([gaps[pair[side]] for pair in contrast.labels], axis=0) for side in (0, 1))
    lower, higher = (f"the gap is {more} with it than without" for more in ("lower", "higher"))
    return Question(
        key=contrast.labels,
        first=plain,
        second=penalized,
        claims=(lower, higher),
        cautious_claims=(lower.replace(" is ", " is usually "), higher.replace(" is ", " is usually ")),
        names=("the gap without", "the gap with it"),
    )


def _turn(findings: Sequence[Judged]) -> list[Outcome]:
    """Outcomes from the penalty's side: better where the gap is lower with it."""
    return [turn(finding.outcome, 1) for finding in findings]


def _count(outcomes: Sequence[Outcome], better: str, worse: str) -> str:
    """Count outcomes in words: “found higher in 2, lower in 0 and practically the same in 1”."""
    words: dict[Outcome, str] = {
        "better": f"found {better}",
        "worse": worse,
        "practically_same": "practically the same",
        "no_difference_found": "not found to differ",
        "cannot_conclude": "without a conclusion",
    }
    counts = Counter(outcomes)
    return join_words(
        [
            f"{said} in {counts[outcome]}"
            for outcome, said in words.items()
            if counts[outcome] or outcome in ("better", "worse")
        ]
    )


def _write_means(question: Question) -> tuple[str, str]:
    """Write the mean gaps with and without the penalty over the seeds that have both, or dashes."""
    is_paired = ~np.isnan(question.first - question.second)
    if not is_paired.any():
        return "–", "–"
    penalized, plain = (float(gaps[is_paired].mean()) for gaps in (question.second, question.first))
    return format_signed_points(penalized), format_signed_points(plain)


def _tabulate(rows: Sequence[Sequence[str]], *, margin: float, level: float) -> Table:
    caption = (
        "In points, over the seeds that pair up. Lower by: the gap without the penalty minus that with it; "
        "[ ] is the interval of the pair alone. Gaps are judged all together, averages too, and apart from "
        f"the comparison: at {100 * level:g} %, with its margin of {format_points(margin)} points. Test "
        "accuracy: with the penalty minus without."
    )
    if len(rows) > MOST_LISTED:
        caption += f" The first {MOST_LISTED} of {len(rows)} pairs."
    headings = (
        "pair",
        "gap with",
        "gap without",
        "lower by [95 %]",
        "found",
        "test accuracy [95 %]",
    )
    return Table(
        headings=headings,
        rows=rows[:MOST_LISTED],
        caption=caption,
        text_columns=("pair", "found"),
    )
