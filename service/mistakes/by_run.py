"""Each run's misclassified test images, as JSON values and as tiles for a sheet."""

from dataclasses import asdict
from typing import Any

from lab.datasets.load import DATASETS
from service.mistakes.answers import Answers
from service.mistakes.ranking import Misclassification, rank_mistakes
from service.mistakes.run_sheet import Mistake


def list_mistakes(answers: Answers, row: int = 0) -> dict[str, Any]:
    """The mistakes of the run at ``row`` as JSON values."""
    run = answers.runs[row]
    misclassified = _rank(answers, row)
    return {
        "run_id": run.id,
        "label": run.config.label,
        "normalization": run.config.normalization,
        "seed": run.config.seed,
        "num_test": len(answers.labels),
        "num_misclassified": len(misclassified),
        "class_names": DATASETS[run.config.dataset].class_names,
        "misclassified": [asdict(mistake) for mistake in misclassified],
    }


def collect_mistakes(answers: Answers, row: int = 0) -> list[Mistake]:
    """The mistakes of the run at ``row`` with their pictures, the most confident first."""
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
        for mistake in _rank(answers, row)
    ]


def make_strips(answers: Answers) -> list[tuple[str, list[Mistake], int]]:
    """For each run its name, its mistakes and how many there are."""
    strips = []
    for row, run in enumerate(answers.runs):
        mistakes = collect_mistakes(answers, row)
        strips.append((f"{run.config.label}, seed {run.config.seed}", mistakes, len(mistakes)))
    return strips


def _rank(answers: Answers, row: int) -> list[Misclassification]:
    return rank_mistakes(answers.predicted[row], answers.confidence[row], answers.labels)
