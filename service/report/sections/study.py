"""The study's conclusions, judged point by point."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import sqrt

import numpy as np

from lab.wording import format_signed_points, join_words
from service.comparison.schemas import ComparisonOut
from service.comparison.verdicts import Question, judge
from service.report.blocks import Block, Code, Finding, Standing, Table
from service.report.data import Material
from service.report.sections.equality import judge_equality
from service.report.sections.generalization import explain_untested
from service.report.sections.leads import Lead, find_lead, sum_up, turn, write_difference, write_range

STUDY_ORDER = ("group", "batch", "layer", "instance")
STUDY_FINAL_PERCENT = {"group": 99.32, "batch": 99.15, "layer": 98.95, "instance": 96.29}
"""The study's test accuracies on MNIST after its last epoch, one seed."""

STUDY_DATASET, STUDY_EPOCHS = "mnist", 25
STABILITY_EPOCHS = 5
FAIR_GRID = "fair-grid"
"""The preset that crosses normalizations with penalties."""


def write_study_claims(material: Material, *, base_url: str) -> list[Block]:
    """Judge the study's claims by this experiment's data."""
    labels = _find_labels(material)
    missing = [name for name in STUDY_ORDER if name not in labels]
    if missing or material.comparison is None:
        words = f"No completed run yet of {join_words(missing)}." if missing else "Nothing is compared."
        return [Finding("The study's conclusions", Standing.NO_DATA, [words])]
    ordered = [labels[name] for name in STUDY_ORDER]
    leads = [find_lead(material.comparison, first, second) for first, second in pairwise(ordered)]
    return [
        _judge_order(material, leads, ordered),
        *_judge_margins(material, leads),
        *_judge_levels(material, labels),
        judge_equality(material, material.comparison, ordered[0], ordered[1]),
        _judge_stability(material, ordered),
        explain_untested(material),
        *_judge_regularization(material, material.comparison, ordered, base_url=base_url),
    ]


def _find_labels(material: Material) -> dict[str, str]:
    """The label of each normalization's configuration that has a completed run."""
    return {result.normalization: result.label for result in material.results if result.num_completed}


def _judge_order(material: Material, leads: Sequence[Lead], ordered: Sequence[str]) -> Finding:
    measured = [result.label for result in material.ranked if result.label in ordered]
    means = {result.label: result.final_test_accuracy for result in material.ranked}
    figures = [f"{label} {100 * mean.mean:.2f} %" for label in measured if (mean := means[label])]
    same = "the study's order" if measured == list(ordered) else "not the study's order"
    return Finding(
        "Order: group > batch > layer > instance",
        sum_up([lead.outcome for lead in leads]),
        [f"Measured: {', '.join(figures)}; this is {same}.", *(lead.describe() for lead in leads)],
    )


def _judge_margins(material: Material, leads: Sequence[Lead]) -> list[Block]:
    margins = [
        (STUDY_FINAL_PERCENT[first] - STUDY_FINAL_PERCENT[second]) / 100
        for first, second in pairwise(STUDY_ORDER)
    ]
    config = material.experiment.runs[0].config
    ranges = [lead.single_seed_range for lead in leads]
    if not _is_study_setting(material):
        standing = Standing.NOT_COMPARABLE
        words = (
            f"The study's margins are of MNIST after {STUDY_EPOCHS} epochs; these are of "
            f"{material.dataset.title} after {config.epochs}. They stand side by side for information only."
        )
    elif not all(ranges):
        standing = Standing.CANNOT_CONCLUDE
        words = (
            "One seed has no interval, so that no margin can be told from chance, nor can the study's own."
        )
    else:
        inside = [
            ends is not None and ends[0] <= margin <= ends[1]
            for ends, margin in zip(ranges, margins, strict=True)
        ]
        standing = (
            Standing.AGREES if all(inside) else Standing.AGREES_IN_PART if any(inside) else Standing.DISAGREES
        )
        words = (
            f"{sum(inside)} of {len(inside)} margins of the study lie where one more seed would be expected "
            "here, with 95 % certainty. The study's are of a single seed, so they are held against that, not "
            "against the interval of the mean."
        )
    return [Finding("The margins between them", standing, [words]), _tabulate_margins(leads, margins)]


def _tabulate_margins(leads: Sequence[Lead], margins: Sequence[float]) -> Table:
    return Table(
        headings=("margin, in points", "in the study", "here [95 % interval]", "one seed here"),
        rows=[
            (
                f"{lead.first} − {lead.second}",
                format_signed_points(margin),
                write_difference(lead),
                write_range(lead.single_seed_range),
            )
            for lead, margin in zip(leads, margins, strict=True)
        ],
    )


def _judge_levels(material: Material, labels: Mapping[str, str]) -> list[Block]:
    """Hold each of the study's accuracies, of one seed, against where one more seed would lie here."""
    summaries = {result.label: result.final_test_accuracy for result in material.results}
    rows, is_inside = [], []
    for name in STUDY_ORDER:
        summary = summaries[labels[name]]
        if not _is_study_setting(material) or summary is None or summary.ci_high is None:
            return []
        half = (summary.ci_high - summary.mean) * sqrt(summary.n + 1)
        low, high = 100 * (summary.mean - half), 100 * (summary.mean + half)
        level = STUDY_FINAL_PERCENT[name]
        is_inside.append(low <= level <= high)
        place = "above all of them" if level > 100 * summary.max else "below all of them"
        rows.append(
            (
                labels[name],
                f"{level:.2f}",
                f"{100 * summary.min:.2f} to {100 * summary.max:.2f}",
                f"{low:.2f} to {min(high, 100.0):.2f}",
                "among them" if summary.min <= level / 100 <= summary.max else place,
            )
        )
    standing = (
        Standing.AGREES
        if all(is_inside)
        else Standing.AGREES_IN_PART
        if any(is_inside)
        else Standing.DISAGREES
    )
    words = (
        f"{sum(is_inside)} of {len(is_inside)} of the study's accuracies lie where one more seed would be "
        "expected here, with 95 % certainty."
    )
    headings = (
        "configuration",
        "the study",
        "seeds here",
        "one more seed, 95 %",
        "the study’s among the seeds",
    )
    table = Table(headings=headings, rows=rows, text_columns=(headings[0], headings[-1]))
    return [Finding("Its accuracies", standing, [words]), table]


def _is_study_setting(material: Material) -> bool:
    config = material.experiment.runs[0].config
    return config.dataset == STUDY_DATASET and config.epochs == STUDY_EPOCHS


def _judge_stability(material: Material, ordered: Sequence[str]) -> Finding:
    """Judge whether group norm's test accuracy fluctuates less over the last epochs, paired by seed."""
    claim = "Group norm does not fluctuate across epochs"
    spreads = _read_spreads(material)
    group, *others = ordered
    if not all(spreads.get(label) for label in ordered):
        return Finding(
            claim, Standing.NO_DATA, [f"Fluctuation takes {STABILITY_EPOCHS} recorded epochs of each."]
        )
    means = [f"{label} {100 * np.mean(list(spreads[label].values())):.2f}" for label in ordered]
    seeds = material.seeds
    questions = []
    for other in others:
        words = [f"{group} fluctuates {more} than {other}" for more in ("less", "more")]
        usual = [claim.replace("fluctuates", "usually fluctuates") for claim in words]
        questions.append(
            Question(
                key=other,
                first=np.array([spreads[other].get(seed, np.nan) for seed in seeds]),
                second=np.array([spreads[group].get(seed, np.nan) for seed in seeds]),
                claims=(words[0], words[1]),
                cautious_claims=(usual[0], usual[1]),
                names=(other, group),
            )
        )
    # A family of its own: the comparison asserts nothing about fluctuation. No size of it is negligible.
    findings = judge(questions, margin=0.0, level=material.experiment.level)
    return Finding(
        claim,
        sum_up([turn(finding.outcome, 1) for finding in findings]),
        [
            f"Standard deviation of test accuracy over the last {STABILITY_EPOCHS} epochs, in points, mean "
            f"over seeds: {', '.join(means)}.",
            *(
                f"{other} − {group}: {write_difference(finding, unit=' points')}; {finding.verdict}."
                for other, finding in zip(others, findings, strict=True)
            ),
        ],
    )


def _judge_regularization(
    material: Material, comparison: ComparisonOut, ordered: Sequence[str], *, base_url: str
) -> list[Block]:
    claim = "The effect could be due to the difference in regularization"
    pairs = [pair for pair in comparison.pairs if {pair.a, pair.b} <= set(ordered)]
    confounded = [pair for pair in pairs if "normalization" in pair.differing and len(pair.differing) > 1]
    words = [f"{pair.a} and {pair.b} differ in {join_words(pair.differing)}." for pair in confounded]
    if not confounded:
        return [Finding(claim, Standing.RULED_OUT, ["Every pair differs in the normalization alone."])]
    request = {"preset": FAIR_GRID, "dataset": material.experiment.dataset}
    return [
        Finding(
            claim,
            Standing.DOUBT_REMAINS,
            [
                f"{len(confounded)} of {len(pairs)} pairs change something else together with the "
                "normalization, so that no number of seeds can say which of them did it.",
                *words,
                "A grid of all combinations can tell them apart, with the penalty held fixed:",
            ],
        ),
        Code(f"curl -X POST {base_url}/experiments -d '{json.dumps(request)}'"),
    ]


def _read_spreads(material: Material) -> dict[str, dict[int, float]]:
    """By label and seed, the SD of test accuracy over a completed run's last epochs."""
    spreads: dict[str, dict[int, float]] = {}
    for row in material.rows:
        if row.status == "completed" and row.last_five_sd is not None:
            spreads.setdefault(row.label, {})[row.seed] = row.last_five_sd
    return spreads
