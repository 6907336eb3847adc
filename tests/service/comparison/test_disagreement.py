"""Two configurations compared image by image, through the answer."""

import numpy as np

from lab.experiments.configs import RunConfig
from service.comparison.answer import answer_all
from service.comparison.scores import Scores

NUM_IMAGES, NUM_SEEDS = 360, 6


def test_practically_the_same_on_these_images_need_not_be_so_on_others() -> None:
    """Each is right on twenty images of its own, whatever the seed: others may not balance so."""
    is_right = np.ones((2, NUM_SEEDS, NUM_IMAGES), dtype=np.bool_)
    is_right[0, :, :20] = is_right[1, :, 20:40] = False
    is_right[np.arange(NUM_SEEDS) % 2, np.arange(NUM_SEEDS), 50] = False
    configs = [
        RunConfig(dataset="digits", schedule="constant", normalization=name, label=name)
        for name in ("batch", "group")
    ]
    scores = Scores(
        configs=configs, seeds=list(range(NUM_SEEDS)), values=is_right.mean(axis=2), unfinished=[]
    )

    (pair,) = answer_all(
        scores, margin=0.01, correctness=[dict(enumerate(of_config)) for of_config in is_right]
    ).pairs

    assert pair.outcome == "practically_same"
    assert pair.images_low is not None
    assert pair.images_low < -0.01
    assert "Holds for these test images; with others, the interval goes beyond the margin." in pair.warnings
    counts = [(one.only_a_correct, one.only_b_correct) for one in pair.mcnemar or []]
    assert counts == [(20, 21), (21, 20)] * 3
