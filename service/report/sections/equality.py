"""The study's claim that batch and group normalization perform equally well: a test of equivalence."""

from lab.wording import format_points, join_words
from service.comparison.schemas import ComparisonOut, PairOut
from service.report.blocks import Finding, Standing
from service.report.data import Material
from service.report.sections.leads import write_difference, write_range


def judge_equality(material: Material, comparison: ComparisonOut, first: str, second: str) -> Finding:
    """Judge whether two configurations perform equally well, within the comparison's margin."""
    pair = next(pair for pair in comparison.pairs if {pair.a, pair.b} == {first, second})
    standing, conclusion = _conclude(pair)
    words = [
        f"{pair.a} − {pair.b}: {write_difference(pair, unit=' points')}; {pair.verdict}.",
        f"Equally well means here within {format_points(pair.margin)} points, about the standard error of an "
        f"accuracy of 99 % on {material.dataset.test_size:,} test images.",
        *conclusion,
    ]
    if "normalization" in pair.differing and len(pair.differing) > 1:
        words.append(
            f"They differ in {join_words(pair.differing)}: whatever is found is about these two "
            "configurations, not about the normalizations alone."
        )
    return Finding("Batch and group normalization perform equally well", standing, words)


def _conclude(pair: PairOut) -> tuple[Standing, list[str]]:
    """The standing, and sentences on how far the simultaneous interval reaches and what would settle it."""
    low, high = pair.simultaneous_low, pair.simultaneous_high
    if low is None or high is None:
        return Standing.CANNOT_CONCLUDE, []
    most = max(abs(low), abs(high))
    reach = f"The interval that holds for the whole comparison at once is {write_range((low, high))}"
    match pair.outcome:
        case "practically_same":
            return Standing.SUPPORTED, []
        case "a_better" | "b_better" if most <= pair.margin:
            return Standing.SUPPORTED_IN_PART, [f"{reach}: the difference is real and within the margin."]
        case "a_better" | "b_better" if low > pair.margin or high < -pair.margin:
            return Standing.CONTRADICTED, [f"{reach}: the difference is greater than the margin."]
        case "a_better" | "b_better":
            words = f"{reach}: there is a difference, and whether it is greater than the margin stays open."
            return Standing.CONTRADICTED_IN_PART, [words]
    settled = pair.to_settle or "More seeds than 100, or a number that these seeds cannot tell"
    return Standing.CANNOT_CONCLUDE, [
        f"No difference found is not yet equal. {reach}: only a margin of {format_points(most)} points or "
        "more, chosen beforehand, would contain it.",
        f"What would settle it: {settled}.",
    ]
