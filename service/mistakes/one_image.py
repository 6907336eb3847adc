"""One test image with every run's prediction."""

import numpy as np
from sqlalchemy.orm import Session

from lab.datasets.load import DATASETS
from lab.errors import NotFoundError
from lab.runs.predictions import read_image_log_probabilities
from lab.runs.records import ExperimentRecord
from service.data_urls import write_png_url
from service.mistakes.schemas import ImageOut, ImagePrediction
from service.test_images import TestImages


def describe_image(
    session: Session, test_images: TestImages, experiment: ExperimentRecord, *, index: int
) -> ImageOut:
    """Describe the test image at ``index`` with each completed run's ten probabilities.

    Raises:
        NotFoundError: the test set has fewer images.
    """
    images, labels = test_images.read(experiment.dataset)
    if index >= len(images):
        raise NotFoundError(
            f"There is no test image {index}; {experiment.dataset} has images 0 to {len(images) - 1}."
        )
    answers = read_image_log_probabilities(session, [run.id for run in experiment.runs], index=index)
    return ImageOut(
        experiment_id=experiment.id,
        dataset=experiment.dataset,
        class_names=DATASETS[experiment.dataset].class_names,
        index=index,
        true=int(labels[index]),
        image=write_png_url(images[index]),
        runs=[
            ImagePrediction(
                run_id=run.id,
                label=run.config.label,
                normalization=run.config.normalization,
                seed=run.config.seed,
                predicted=int(answers[run.id].argmax()),
                confidence=float(np.exp(answers[run.id].max())),
                probabilities=np.exp(answers[run.id]).tolist(),
            )
            for run in experiment.runs
            if run.id in answers
        ],
    )
