"""Learning rates that were tuned: the budget, the choice, and the curves."""

from lab.experiments.tuning import TunedPoint, Tuning
from lab.statistics.summaries import summarize
from lab.wording import count_words, format_percent, join_words
from service.report.blocks import Block, Bullets, Paragraph, Section, Table
from service.report.data import Material
from service.report.sections.results import make_plot


def write_tuning(material: Material) -> list[Section]:
    """Write how each configuration came by its learning rate; nothing if the request gave them."""
    tuning = material.experiment.tuning
    if tuning is None:
        return []
    rates = join_words([f"{rate:g}" for rate in tuning.learning_rates])
    budget = (
        f"Before the comparison, every configuration was trained with the learning rates {rates}, "
        f"{count_words(tuning.num_seeds, 'seed')} each, for {count_words(tuning.epochs, 'epoch')} "
        f"(experiment {tuning.experiment_id}). The rate with the highest mean accuracy on held-out training "
        "images is the configuration's own. The comparison has other seeds, and the test set has no part in "
        "the choice."
    )
    blocks: list[Block] = [Paragraph(budget)]
    if not tuning.points:
        blocks.append(Bullets(["The learning rates are not chosen yet."], is_caution=True))
        return [Section("tuning", "Learning rates", blocks)]
    blocks += [make_plot(material, "tuning"), _tabulate(tuning)]
    if at_end := _list_at_end(tuning):
        words = (
            f"The best rate of {join_words(at_end)} is the lowest or highest that was tried; one beyond may "
            "serve better."
        )
        blocks.append(Bullets([words], is_caution=True))
    return [Section("tuning", "Learning rates", blocks)]


def _tabulate(tuning: Tuning) -> Table:
    by_label: dict[str, dict[float, TunedPoint]] = {}
    for point in tuning.points:
        by_label.setdefault(point.label, {})[point.learning_rate] = point
    rates = sorted(tuning.learning_rates)
    return Table(
        headings=("configuration", *(f"{rate:g}" for rate in rates), "chosen"),
        rows=[
            (label, *(_write_point(points[rate]) for rate in rates), _write_chosen(tuning, label))
            for label, points in by_label.items()
        ],
        caption="Mean accuracy on held-out images, in %, by learning rate; – where a run did not complete.",
        text_columns=("configuration",),
    )


def _write_point(point: TunedPoint) -> str:
    summary = summarize(point.accuracies)
    return "–" if summary is None else format_percent(summary.mean)


def _write_chosen(tuning: Tuning, label: str) -> str:
    rate = tuning.rates.get(label)
    return "–" if rate is None else f"{rate:g}"


def _list_at_end(tuning: Tuning) -> list[str]:
    """List the configurations whose best rate is at an end of those tried."""
    ends = (min(tuning.learning_rates), max(tuning.learning_rates))
    return [label for label, rate in tuning.rates.items() if rate in ends]
