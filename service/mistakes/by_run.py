"""Misclassified images run by run, as an answer and as tiles for a sheet."""

from lab.datasets.load import DATASETS
from service.mistakes.answers import Answers
from service.mistakes.run_sheet import Mistake
from service.mistakes.schemas import RunMisclassified


def list_misclassified(answers: Answers, row: int = 0) -> RunMisclassified:
    """List the images that the run at ``row`` misclassifies."""
    run = answers.runs[row]
    misclassified = answers.rank_misclassified(row)
    return RunMisclassified(
        run_id=run.id,
        label=run.config.label,
        normalization=run.config.normalization,
        seed=run.config.seed,
        num_test=len(answers.labels),
        num_misclassified=len(misclassified),
        class_names=DATASETS[run.config.dataset].class_names,
        misclassified=misclassified,
    )


def collect_mistakes(answers: Answers, row: int = 0) -> list[Mistake]:
    """Collect the images that the run at ``row`` misclassifies as tiles, most confident first."""
    run = answers.runs[row]
    names = DATASETS[run.config.dataset].class_names
    return [
        Mistake(
            index=mistake.index,
            image=answers.images[mistake.index],
            true=names[mistake.true],
            predicted=names[mistake.predicted],
            confidence=mistake.confidence,
            run_label=run.config.label,
        )
        for mistake in answers.rank_misclassified(row)
    ]


def make_strips(answers: Answers) -> list[tuple[str, list[Mistake], int]]:
    """Make for each run a strip: its name, its tiles and their number."""
    strips = []
    for row, run in enumerate(answers.runs):
        mistakes = collect_mistakes(answers, row)
        strips.append((f"{run.config.label}, seed {run.config.seed}", mistakes, len(mistakes)))
    return strips
