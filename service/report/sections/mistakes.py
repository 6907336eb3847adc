"""Misclassified images: agreement of runs, sheets of images, confusion matrices."""

from functools import partial

from matplotlib.figure import Figure

from lab.wording import count_words
from service.mistakes.agreement import (
    OnlyMissed,
    count_agreement,
    find_missed_by_every_run,
    find_missed_only,
    select_missed,
)
from service.mistakes.answers import Answers
from service.mistakes.by_image import collect_images
from service.mistakes.by_run import collect_mistakes, collect_run_mistakes
from service.mistakes.confusion import count_by_configuration, count_confusions, find_most_confused
from service.mistakes.confusion_figure import draw_confusions
from service.mistakes.image_sheet import draw_shared_mistakes
from service.mistakes.run_sheet import draw_misclassified, draw_misclassified_by_run
from service.report.blocks import Block, Bullets, Heading, Paragraph, Picture, Section
from service.report.data import Material
from service.report.sections.legibility import judge_legibility
from service.report.sections.results import MOST_RUNS_DRAWN, make_sheet

MOST_TILES, MOST_TILES_APART, TILE_COLUMNS = 14, 8, 2
"""On the sheet of all and on those of what every run or one normalization alone misclassifies: what a page of
paper holds at a size that can be read. The service shows more."""


def write_mistakes(material: Material) -> Section:
    """Write the agreement of runs, sheets of images, and confusion matrices."""
    title = "Misclassified images"
    if material.answers is None:
        return Section(
            "misclassified", title, [Paragraph("No run has completed yet; nothing is misclassified.")]
        )
    answers, path = material.answers, f"/experiments/{material.experiment.id}"
    blocks: list[Block] = [Bullets(_describe_agreement(material, answers))]
    blocks.append(
        make_sheet(
            title="Each image once, with its wrong predictions",
            path=f"{path}/misclassified.png",
            draw=partial(_draw_shared, material, answers, "any"),
        )
    )
    blocks += _make_only_sheets(material, answers)
    blocks += _make_run_sheets(material, answers)
    blocks += [Heading("Legibility"), *judge_legibility(material, answers), Heading("Confused classes")]
    blocks += [
        Paragraph(_describe_confusion(material, answers)),
        make_sheet(
            title="Confusion matrices, seeds added up",
            path=f"{path}/confusion.png",
            draw=lambda: draw_confusions(
                count_by_configuration(answers),
                class_names=material.dataset.class_names,
                title=f"{material.experiment.name}: confusion",
            ),
        ),
    ]
    return Section("misclassified", title, blocks)


def _describe_agreement(material: Material, answers: Answers) -> list[str]:
    counts = count_agreement(answers.is_missed)
    num_runs, num_images = len(answers.runs), len(answers.labels)
    lines = [
        f"Of {num_images:,} test images, {counts[0]:,} are classified correctly by every one of "
        f"{count_words(num_runs, 'completed run')}, {num_images - counts[0]:,} are misclassified by at least "
        "one."
    ]
    if num_runs > 1:
        every = find_missed_by_every_run(answers.is_missed)
        lines.append(f"Misclassified by every run: {count_words(len(every), 'image')}.")
        half = int(counts[num_runs // 2 + 1 :].sum())
        lines.append(f"Misclassified by more than half of the runs: {count_words(half, 'image')}.")
    only = find_missed_only(answers.is_missed, [run.config.normalization for run in answers.runs])
    if len(only) > 1:
        lines += [_describe_only(one) for one in only]
    unfinished = len(material.experiment.runs) - num_runs
    if unfinished:
        lines.append(f"Not completed, and so not counted here: {count_words(unfinished, 'run')}.")
    return lines


def _describe_only(one: OnlyMissed) -> str:
    found = count_words(len(one.by_most), "image")
    if one.num_runs == 1:
        return f"Misclassified by the run of {one.normalization} alone: {found}."
    every = f"{len(one.by_all)} of them by all {one.num_runs} of its runs"
    return f"Misclassified by most runs of {one.normalization} and by no other run: {found}, {every}."


def _make_only_sheets(material: Material, answers: Answers) -> list[Block]:
    """Make sheets of images that every run, or one normalization alone, misclassifies, if there are any."""
    normalizations = list(dict.fromkeys(run.config.normalization for run in answers.runs))
    kinds = (
        ["every", *normalizations] if len(normalizations) > 1 else ["every"] if len(answers.runs) > 1 else []
    )
    titles = {"every": "Misclassified by every run"}
    return [
        make_sheet(
            title=titles.get(kind, f"Misclassified by most runs of {kind} and by no other run"),
            path=f"/experiments/{material.experiment.id}/misclassified.png?missed_by={kind}",
            draw=partial(_draw_shared, material, answers, kind),
            is_half=True,
        )
        for kind in kinds
        if len(select_missed(answers, missed_by=kind))
    ]


def _draw_shared(material: Material, answers: Answers, missed_by: str) -> Figure:
    indices = select_missed(answers, missed_by=missed_by)
    most = MOST_TILES if missed_by == "any" else MOST_TILES_APART
    shown = collect_images(answers, indices[:most], experiment=material.experiment)
    words = {"any": "misclassified", "every": "misclassified by every run"}
    title = f"{material.experiment.name}: {words.get(missed_by, f'misclassified by {missed_by} alone')}"
    return draw_shared_mistakes(shown, title=title, num_total=len(indices), num_columns=TILE_COLUMNS)


def _make_run_sheets(material: Material, answers: Answers) -> list[Block]:
    if len(answers.runs) <= MOST_RUNS_DRAWN:
        return [Heading("Run by run"), *(_make_run_sheet(answers, row) for row in range(len(answers.runs)))]
    words = f"With more than {MOST_RUNS_DRAWN} runs, each has a strip of its most confident mistakes."
    sheet = make_sheet(
        title="The most confident mistakes, run by run",
        path=f"/experiments/{material.experiment.id}/misclassified.png?by=run",
        draw=lambda: draw_misclassified_by_run(collect_run_mistakes(answers), title=material.experiment.name),
    )
    return [Heading("Run by run"), Paragraph(words), sheet]


def _make_run_sheet(answers: Answers, row: int) -> Picture:
    run = answers.runs[row]
    title = f"{run.config.label}, seed {run.config.seed}"
    return make_sheet(
        title=title,
        path=f"/runs/{run.id}/misclassified.png",
        draw=lambda: draw_misclassified(collect_mistakes(answers, row), title=title),
        is_half=True,
    )


def _describe_confusion(material: Material, answers: Answers) -> str:
    most = find_most_confused(count_confusions(answers.labels, answers.predicted))[:5]
    if not most:
        return "No run misclassifies any image."
    names = material.dataset.class_names
    parts = [f"{names[pair.predicted]} for a {names[pair.true]} ({pair.count:,})" for pair in most]
    return f"Over all completed runs, the most frequent errors are to predict {', '.join(parts)}."
