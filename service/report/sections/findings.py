"""The findings, then every verdict."""

from collections import Counter
from collections.abc import Sequence

from lab.wording import count_words, format_points, join_words
from service.comparison.finding import Finding as Judged
from service.comparison.schemas import AverageEffectOut, ComparisonOut, EffectOut, FactorsOut, InteractionOut
from service.report.blocks import Block, Bullets, Finding, Heading, Paragraph, Section, Standing, Table
from service.report.data import Material
from service.report.sections.generalization import write_generalization
from service.report.sections.leads import Lead, find_lead, write_difference
from service.report.sections.results import make_plot
from service.report.sections.study import write_study_claims
from service.results.configurations import ConfigurationResult

MOST_PAIRS_LISTED = 45
MOST_EFFECTS_LISTED = 30
MOST_INTERACTIONS_LISTED = 12
MOST_NAMED = 6


def write_conclusions(material: Material, *, base_url: str) -> Section:
    """The findings in a few sentences; for the study, its conclusions point by point."""
    blocks: list[Block] = []
    ranked = material.ranked
    if not ranked:
        blocks.append(Paragraph("No run has completed yet, so there is nothing to conclude."))
    elif len(material.results) == 1:
        blocks.append(Paragraph(f"{_describe_accuracy(ranked[0])} Nothing is compared with it."))
    elif material.comparison is not None:
        blocks.append(_judge_best(ranked, material.comparison))
        if material.comparison.factors is not None and material.experiment.preset != "study":
            blocks += _write_factor_findings(material.comparison.factors)
        blocks += write_generalization(material, material.comparison)
    if material.experiment.preset == "study":
        blocks.append(Heading("The study's conclusions, point by point"))
        blocks += write_study_claims(material, base_url=base_url)
    return Section("findings", "What the data say", blocks)


def write_verdicts(material: Material) -> Section:
    """Write the verdict on every pair, the factors one by one, and the warnings."""
    comparison = material.comparison
    if comparison is None or not comparison.pairs:
        words = "With a single configuration there is nothing to compare."
        if comparison is None:
            words = "Pairs are not compared here."
        return Section("verdicts", "Verdicts", [Paragraph(words)])
    blocks: list[Block] = []
    if comparison.warnings:
        blocks.append(Bullets(comparison.warnings, is_caution=True))
    if "verdicts" in material.catalog.plots:
        blocks.append(make_plot(material, "verdicts"))
    blocks += [_tabulate_pairs(material, comparison), *_sum_up_warnings(comparison)]
    if comparison.factors is not None:
        blocks += _write_factors(comparison.factors)
    return Section("verdicts", "Verdicts", blocks)


def _judge_best(ranked: Sequence[ConfigurationResult], comparison: ComparisonOut) -> Block:
    best, others = ranked[0], ranked[1:]
    if not others:
        return Paragraph(f"{_describe_accuracy(best)} No other configuration has a completed run yet.")
    leads = [find_lead(comparison, best.label, other.label) for other in others]
    beaten = [lead for lead in leads if lead.outcome == "better"]
    words = [_describe_accuracy(best)]
    if beaten:
        words += _list_beaten(beaten)
    for outcome, claim in (
        ("practically_same", "Practically the same as it:"),
        ("no_difference_found", "No difference was found between it and"),
        ("cannot_conclude", "The seeds cannot tell whether it is better than"),
        ("worse", "Seed by seed it is worse than"),
    ):
        if rest := [lead for lead in leads if lead.outcome == outcome]:
            words.append(f"{claim} {_name(rest)}{_give_reason(rest)}.")
    standing, detail = Standing.CANNOT_CONCLUDE, None
    if len(beaten) == len(leads):
        standing = Standing.BETTER_THAN_ALL
    elif beaten:
        standing, detail = Standing.BETTER_THAN_SOME, f"better than {len(beaten)} of {len(leads)}"
    elif all(lead.outcome == "practically_same" for lead in leads):
        standing = Standing.PRACTICALLY_SAME
    elif any(lead.outcome == "no_difference_found" for lead in leads):
        standing = Standing.NO_DIFFERENCE_FOUND
    return Finding(f"{best.label} has the highest mean", standing, words, detail)


def _list_beaten(leads: Sequence[Lead]) -> list[str]:
    """Each verdict with its size, or of many their number and the range of sizes."""
    if len(leads) <= MOST_NAMED:
        return [f"{_capitalize(lead.verdict)}." for lead in leads]
    sizes = sorted(abs(lead.difference or 0.0) for lead in leads)
    ends = f"{format_points(sizes[0])} to {format_points(sizes[-1])} points"
    return [f"It is ahead of {_name(leads)}, by {ends}."]


def _name(leads: Sequence[Lead]) -> str:
    labels = [lead.second for lead in leads]
    return join_words(labels if len(labels) <= MOST_NAMED else [f"{len(labels)} other configurations"])


def _give_reason(leads: Sequence[Lead]) -> str:
    """Give the reason why nothing can be concluded of these leads, or most; empty if something can."""
    reasons = Counter(lead.reason for lead in leads)
    reason, number = reasons.most_common(1)[0]
    if not reason:
        return ""
    return f": {reason}" if number == len(leads) else f"; of {number} of them: {reason}"


def _describe_accuracy(result: ConfigurationResult) -> str:
    accuracy = result.final_test_accuracy
    assert accuracy is not None, "a ranked configuration has completed runs"
    words = f"{result.label}: final test accuracy {100 * accuracy.mean:.2f} %"
    if accuracy.ci_low is None or accuracy.ci_high is None:
        return f"{words}, one seed, so without an interval."
    interval = f"{100 * accuracy.ci_low:.2f} to {100 * accuracy.ci_high:.2f} %"
    return f"{words}, 95 % interval {interval}, mean of {count_words(accuracy.n, 'seed')}."


def _write_factor_findings(factors: FactorsOut) -> list[Block]:
    """Write for each factor whether it matters at all, and the average differences found."""
    overall = {one.factor: one for one in factors.overall}
    blocks: list[Block] = []
    for factor in dict.fromkeys([*overall, *factors.averages]):
        averages = factors.averages.get(factor, [])
        found = [one for one in averages if one.outcome in ("a_better", "b_better")]
        words = [f"{_capitalize(overall[factor].verdict)}."] if factor in overall else []
        words += [f"{_capitalize(one.verdict)}." for one in found]
        for outcome, lead in (
            ("practically_same", "Practically the same are"),
            ("no_difference_found", "No difference was found between"),
            ("cannot_conclude", "The seeds cannot tell apart"),
        ):
            if rest := [f"{one.a_level} and {one.b_level}" for one in averages if one.outcome == outcome]:
                words.append(f"{lead} {'; '.join(rest[:MOST_EFFECTS_LISTED])}.")
        name = factor.replace("_", " ")
        blocks.append(Finding(f"Does {name} matter, all else equal?", _stand(factor, factors), words))
    return blocks


def _stand(factor: str, factors: FactorsOut) -> Standing:
    """Return yes if the levels differ as a whole or in pairs, else what the verdicts have in common."""
    outcomes: list[str] = [one.outcome for one in factors.overall if one.factor == factor]
    outcomes += [one.outcome for one in factors.averages.get(factor, [])]
    if {"levels_differ", "a_better", "b_better"} & set(outcomes):
        return Standing.YES
    averages = factors.averages.get(factor, [])
    if averages and all(one.outcome == "practically_same" for one in averages):
        return Standing.PRACTICALLY_SAME
    if {"no_difference_found", "practically_same"} & set(outcomes):
        return Standing.NO_DIFFERENCE_FOUND
    return Standing.CANNOT_CONCLUDE


def _tabulate_pairs(material: Material, comparison: ComparisonOut) -> Table:
    pairs = comparison.pairs
    caption = "Differences in points of final test accuracy, the first minus the second, by seed. "
    if len(pairs) > MOST_PAIRS_LISTED and material.ranked:
        best = material.ranked[0].label
        pairs = [pair for pair in pairs if best in (pair.a, pair.b)]
        caption += f"Of {len(comparison.pairs)} pairs, those of {best}; the matrix has them all. "
    caption += (
        "p is adjusted for all that the comparison judges; [ ] is the interval of the pair alone, ± in a "
        "verdict that of all together."
    )
    rows = [
        (
            f"{pair.a} − {pair.b}" + (" *" if len(pair.differing) > 1 else ""),
            write_difference(pair),
            _write_p(pair),
            str(pair.num_seeds),
            pair.verdict,
        )
        for pair in pairs
    ]
    if any(len(pair.differing) > 1 for pair in pairs):
        caption += " * Confounded: more than one factor differs."
    headings = ("pair", "difference [95 % interval]", "p", "seeds", "verdict")
    return Table(headings=headings, rows=rows, caption=caption, text_columns=("pair", "verdict"))


def _sum_up_warnings(comparison: ComparisonOut) -> list[Block]:
    """List each warning of the pairs once, with the number of pairs it applies to."""
    counts = Counter(warning for pair in comparison.pairs for warning in pair.warnings)
    if not counts:
        return []
    lines = [f"{warning} ({count_words(number, 'pair')})" for warning, number in counts.most_common(12)]
    if len(counts) > len(lines):
        lines.append(f"{len(counts) - len(lines)} more warnings stand beside single pairs in the comparison.")
    return [Heading("Warnings"), Bullets(lines, is_caution=True)]


def _write_factors(factors: FactorsOut) -> list[Block]:
    blocks: list[Block] = [Bullets(factors.warnings, is_caution=True)] if factors.warnings else []
    for factor, effects in factors.effects.items():
        name = factor.replace("_", " ")
        held = [
            ", ".join(f"{name} {level}" for name, level in effect.held_fixed.items()) for effect in effects
        ]
        blocks += [
            Heading(f"The effect of {name}, the rest held fixed"),
            _tabulate_effects(list(zip(effects, held, strict=True))),
        ]
        if averages := factors.averages.get(factor):
            over = [f"the mean of {len(average.averaged_over)} settings" for average in averages]
            blocks += [
                Heading(f"The effect of {name}, averaged over the rest"),
                _tabulate_effects(list(zip(averages, over, strict=True))),
            ]
    return blocks + _write_interactions(factors.interactions)


def _tabulate_effects(effects: Sequence[tuple[EffectOut | AverageEffectOut, str]]) -> Table:
    """Changes of one factor, each with where it was made."""
    shown = sorted(effects, key=lambda pair: pair[0].outcome == "cannot_conclude")[:MOST_EFFECTS_LISTED]
    return Table(
        headings=("change", "at", "difference [95 % interval]", "p", "verdict"),
        rows=[
            (
                f"{effect.a_level} − {effect.b_level}",
                place,
                write_difference(effect),
                _write_p(effect),
                effect.verdict,
            )
            for effect, place in shown
        ],
        caption="" if len(shown) == len(effects) else f"{len(shown)} of {len(effects)} comparisons.",
        text_columns=("change", "at", "verdict"),
    )


def _write_interactions(interactions: Sequence[InteractionOut]) -> list[Block]:
    if not interactions:
        return []
    found = [one for one in interactions if one.outcome == "interaction"]
    unfound = [one for one in interactions if one.outcome == "no_difference_found"]
    same = [one for one in interactions if one.outcome == "practically_same"]
    open_ones = [one for one in interactions if one.outcome == "cannot_conclude"]
    lines = [f"{_capitalize(one.verdict)}." for one in found[:MOST_INTERACTIONS_LISTED]]
    if len(found) > len(lines):
        lines.append(f"{len(found) - len(lines)} more stand in the comparison.")
    number = count_words(len(interactions), "interaction")
    if unfound:
        points = max(one.detectable_difference or 0.0 for one in unfound)
        lines.append(
            f"Of {number} with the normalization, no difference was found in {len(unfound)}; these seeds "
            f"would find about {format_points(points)} points or less in each, four times in five."
        )
    if same:
        lines.append(
            f"Of {number} with the normalization, {len(same)} are practically none: within "
            f"{format_points(same[0].margin)} points."
        )
    if open_ones:
        reason = open_ones[0].reason
        lines.append(f"Of {number} with the normalization, {len(open_ones)} cannot be told: {reason}.")
    return [Heading("Interactions"), Bullets(lines)]


def _write_p(found: Judged) -> str:
    if found.p_adjusted is None:
        return "–"
    return f"{found.p_adjusted:.3f}" if found.p_adjusted >= 0.0005 else f"{found.p_adjusted:.1g}"


def _capitalize(words: str) -> str:
    return words[:1].upper() + words[1:]
