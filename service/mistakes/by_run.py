"""Misclassified images run by run, as an answer and as tiles for a sheet."""

from lab.datasets.load import DATASETS
from service.mistakes.answers import Answers
from service.mistakes.run_sheet import Mistake, RunMistakes
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
    names = DATASETS[answers.runs[row].config.dataset].class_names
    return [
        Mistake(
            index=mistake.index,
            image=answers.images[mistake.index],
            true=names[mistake.true],
            predicted=names[mistake.predicted],
            confidence=mistake.confidence,
        )
        for mistake in answers.rank_misclassified(row)
    ]


def collect_run_mistakes(answers: Answers) -> list[RunMistakes]:
    """Collect the tiles of every run, under its configuration and seed."""
    return [
        RunMistakes(
            run_name=f"{run.config.label}, seed {run.config.seed}", mistakes=collect_mistakes(answers, row)
        )
        for row, run in enumerate(answers.runs)
    ]
