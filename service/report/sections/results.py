"""The report's figures: tables of results, curves and rankings."""

from collections.abc import Callable

from matplotlib.figure import Figure

from lab.wording import count_words
from service.drawing.rendering import MEDIA_TYPES, render
from service.plots.curves import METRICS
from service.report.blocks import Block, Bullets, Heading, Paragraph, Picture, Section, Table
from service.report.data import Material
from service.results.tables import (
    CONFIGURATION_HEADINGS,
    CONFIGURATION_NOTE,
    RUN_HEADINGS,
    list_configuration_cells,
    list_run_cells,
)

MOST_RUNS_DRAWN = 8
"""An experiment with more runs has figures by configuration, and these are as many at most."""

MOST_CONFIGURATIONS_DRAWN = 24
MOST_RUNS_LISTED = 60


def write_results(material: Material) -> Section:
    """Ranking and tables, by configuration and by run."""
    blocks: list[Block] = [Bullets(material.warnings, is_caution=True)] if material.warnings else []
    if "ranking" in material.catalog.plots:
        blocks.append(make_plot(material, "ranking"))
    blocks.append(
        Table(
            headings=CONFIGURATION_HEADINGS,
            rows=[list_configuration_cells(result) for result in material.results],
            caption=CONFIGURATION_NOTE,
        )
    )
    if "batch-size" in material.catalog.plots:
        blocks.append(make_plot(material, "batch-size"))
    blocks.append(Heading("Run by run"))
    rows = [list_run_cells(row) for row in material.rows[:MOST_RUNS_LISTED]]
    caption = "Best test is picked on the test set and so a little too good; the epoch in brackets."
    if len(material.rows) > len(rows):
        caption += (
            f" The first {len(rows)} of {len(material.rows)} runs; the service's results have them all."
        )
    blocks.append(Table(headings=RUN_HEADINGS, rows=rows, caption=caption))
    return Section("results", "Results", blocks)


def write_consolidated(material: Material) -> Section:
    """All configurations in one figure for each measure, with and without instance normalization."""
    names: list[str] = list(METRICS)
    if "mean-test-accuracy" in material.catalog.plots:
        names = [f"mean-{metric}" for metric in METRICS]
    blocks: list[Block] = [
        Paragraph(
            "Training, validation and test figures compare: all are measured after the epoch, without "
            "dropout and without rotation. Axes may cut the first epochs."
        ),
        *(make_plot(material, name) for name in names),
    ]
    if material.catalog_without_instance is not None:
        blocks.append(Heading("Without instance normalization"))
        blocks += [make_plot(material, name, is_without_instance=True) for name in names]
    return Section("consolidated", "All configurations together", blocks)


def write_single(material: Material) -> Section:
    """Each run's own curves, or, of many runs, each configuration's."""
    runs = material.experiment.runs
    labels = [configuration.label for configuration in material.experiment.configurations]
    if len(runs) <= MOST_RUNS_DRAWN:
        names = [f"run-{run.id}-{quantity}" for run in runs for quantity in ("accuracy", "loss")]
        words = "Accuracy and loss of each run."
        return Section("single", "Run by run", [Paragraph(words), *(make_plot(material, n) for n in names)])
    shown = labels[:MOST_CONFIGURATIONS_DRAWN]
    words = (
        f"With more than {MOST_RUNS_DRAWN} runs, curves are shown by configuration, its seeds thin and their "
        f"mean thick; each of the {len(runs)} runs has its own figures in the service."
    )
    if len(labels) > len(shown):
        words += f" These are the first {len(shown)} of {len(labels)} configurations."
    if len(runs) == len(labels):
        names = [f"run-{run.id}-accuracy" for run in runs[: len(shown)]]
        words = (
            f"The accuracy of the first {count_words(len(shown), 'run')}; the losses and the rest are in the "
            "service."
        )
        return Section("single", "Run by run", [Paragraph(words), *(make_plot(material, n) for n in names)])
    names = [f"configuration-{place}" for place in range(1, len(shown) + 1)]
    return Section(
        "single",
        "Configuration by configuration",
        [Paragraph(words), *(make_plot(material, name) for name in names)],
    )


def make_plot(material: Material, name: str, *, is_without_instance: bool = False) -> Picture:
    """Make a picture of a catalog's plot, drawn as SVG when it is needed."""
    catalog, query, note = material.catalog, "", ""
    if is_without_instance and material.catalog_without_instance is not None:
        catalog, note = material.catalog_without_instance, ", without instance norm"
        query = f"?normalizations={','.join(material.normalizations_without_instance)}"
    plot = catalog.find(name)
    return Picture(
        title=f"{plot.title}{note}",
        path=f"/experiments/{material.experiment.id}/plots/{name}.png{query}",
        media_type=MEDIA_TYPES["svg"],
        draw=lambda: render(plot.draw(), image_format="svg"),
        size=plot.size,
    )


def make_sheet(*, title: str, path: str, draw: Callable[[], Figure], is_half: bool = False) -> Picture:
    """Make a picture full of images, best stored as PNG; half a page or a whole one."""
    return Picture(
        title=title,
        path=path,
        media_type=MEDIA_TYPES["png"],
        draw=lambda: render(draw(), image_format="png"),
        size="half" if is_half else "page",
    )
