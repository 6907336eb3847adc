"""A run's misclassified test images, as JSON and as tiles for a sheet."""

from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from lab.datasets import DATASETS
from lab.records import RunRecord, read_log_probabilities
from service.image_store import ImageStore
from service.mistakes import find_misclassified
from service.plotting.misclassified import Mistake


def list_mistakes(session: Session, store: ImageStore, run: RunRecord) -> dict[str, Any]:
    """The run's mistakes as JSON values.

    Raises:
        RunNotFinishedError: the run has not completed.
    """
    log_probabilities = read_log_probabilities(session, run)
    _, labels = store.read(run.config.dataset)
    misclassified = find_misclassified(log_probabilities, labels)
    return {
        "run_id": run.id,
        "label": run.config.label,
        "normalization": run.config.normalization,
        "seed": run.config.seed,
        "num_test": len(labels),
        "num_misclassified": len(misclassified),
        "class_names": DATASETS[run.config.dataset].class_names,
        "misclassified": [asdict(mistake) for mistake in misclassified],
    }


def collect_mistakes(session: Session, store: ImageStore, run: RunRecord) -> list[Mistake]:
    """The run's mistakes with their pictures, the most confident first.

    Raises:
        RunNotFinishedError: the run has not completed.
    """
    log_probabilities = read_log_probabilities(session, run)
    images, labels = store.read(run.config.dataset)
    names = DATASETS[run.config.dataset].class_names
    return [
        Mistake(
            index=mistake.index,
            image=images[mistake.index],
            true=names[mistake.true],
            predicted=names[mistake.predicted],
            confidence=mistake.confidence,
            run_label=run.config.label,
        )
        for mistake in find_misclassified(log_probabilities, labels)
    ]
