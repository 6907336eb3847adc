"""The experiments that a chaos run may ask for: small, and unlike each other."""

import itertools
import random
from typing import Any

from lab.experiments.configs import NORMALIZATIONS, PENALTIES
from lab.experiments.presets import STUDY

SCHEDULES = ("plateau", "onecycle", "constant")
MAX_SEED = 1_000


def draw_catalog(rng: random.Random, *, size: int) -> list[dict[str, Any]]:
    """``size`` request bodies on the embedded digits, of one or two runs each."""
    normalizations = itertools.cycle(rng.sample(NORMALIZATIONS, len(NORMALIZATIONS)))
    penalties = itertools.cycle(rng.sample(sorted(PENALTIES), len(PENALTIES)))
    schedules = itertools.cycle(rng.sample(SCHEDULES, len(SCHEDULES)))

    def draw_config() -> dict[str, Any]:
        l1, l2 = PENALTIES[next(penalties)]
        return {"normalization": next(normalizations), "l1": l1, "l2": l2}

    return [
        {
            "dataset": "digits",
            "batch_size": 128,
            "configs": [draw_config() for _ in range(rng.choice((1, 1, 2)))],
            "schedule": next(schedules),
            "seeds": [rng.randrange(MAX_SEED)],
            **_draw_length(rng, is_brisk=index % 2 == 0),
        }
        for index in range(size)
    ]


def draw_refused(rng: random.Random) -> dict[str, Any]:
    """A request that the service must refuse."""
    config = dict(STUDY.configs[0])
    faults: list[dict[str, Any]] = [
        {"configs": [config], "epochs": 0},
        {"configs": [], "epochs": 2},
        {"configs": [{**config, "l1": -1.0}], "epochs": 2},
        {"configs": [config], "epochs": 2, "validation_size": 1_437},
        {"configs": [config], "epochs": 2, "colour": "red"},
    ]
    return {"dataset": "digits", **rng.choice(faults)}


def _draw_length(rng: random.Random, *, is_brisk: bool) -> dict[str, Any]:
    # With nearly all images held out an epoch has two steps, and takes about as long as a worker takes to
    # notice that it has lost a run: many are on the point of being recorded just then.
    if is_brisk:
        return {"epochs": rng.randint(6, 9), "validation_size": 1_200}
    return {"epochs": rng.randint(2, 3)}
