"""Presets: experiments by name. Their numbers are defined here and nowhere else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.errors import InvalidConfigError
from lab.experiments.configs import NORMALIZATIONS, PENALTIES, STUDY_L1, STUDY_L2

# With fewer than six seeds nothing can be concluded, see docs/decisions/0005-comparisons.md.
NUM_SEEDS = 6
# Six can conclude on the fair grid; these find smaller differences among its 260 questions.
NUM_FAIR_SEEDS = 13
# Six can conclude; these find smaller changes of the difference between batch and group normalization.
NUM_BATCH_SIZE_SEEDS = 10
STUDY_LEARNING_RATE = 0.04
STUDY_BATCH_SIZE = 128
STUDY_TRAINING: dict[str, Any] = {
    "epochs": 25,
    "batch_size": STUDY_BATCH_SIZE,
    "learning_rate": STUDY_LEARNING_RATE,
    "momentum": 0.9,
    "schedule": "plateau",
    "rotation_degrees": 6.9,
}
BATCH_SIZES = (2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class TuneRequest:
    """The learning rates to try for every configuration, with how many seeds, for how many epochs."""

    learning_rates: Sequence[float]
    num_seeds: int
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Preset:
    """An experiment by name: its configurations, as a list or a grid, and their common recipe."""

    name: str
    title: str
    description: str
    configs: tuple[dict[str, Any], ...] = ()
    grid: dict[str, list[Any]] | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    num_seeds: int = NUM_SEEDS
    tune: TuneRequest | None = None
    is_request_by_name: bool = False
    """True if only its name requests it."""

    @property
    def num_configurations(self) -> int:
        """The number of configurations it compares."""
        return len(self.configs) if self.grid is None else math.prod(map(len, self.grid.values()))

    @property
    def request(self) -> dict[str, Any]:
        """The body of POST /experiments that asks for the same runs, to be changed at will."""
        if self.is_request_by_name:
            recipe = {name: value for name, value in self.recipe.items() if name != "penalize"}
            return {"preset": self.name, "seeds": self.num_seeds, **recipe}
        what = {"configs": list(self.configs)} if self.grid is None else {"grid": self.grid}
        request = {**what, "seeds": self.num_seeds, **self.recipe}
        if self.tune is not None:
            request["tune"] = {
                "learning_rate": list(self.tune.learning_rates),
                "seeds": self.tune.num_seeds,
                "epochs": self.tune.epochs,
            }
        return request

    def check_overrides(self, recipe: dict[str, Any]) -> None:
        """Refuse fields that the preset sets for each configuration.

        Raises:
            InvalidConfigError: a field of ``recipe`` differs between the preset's configurations.
        """
        decided = {name for config in (*self.configs, self.grid or {}) for name in config}
        for name in recipe:
            if name in decided:
                raise InvalidConfigError(
                    f"The preset {self.name} sets {name} for each configuration; leave {name} out, or send "
                    "the preset's own request, which GET /presets shows, with your changes."
                )


STUDY = Preset(
    name="study",
    title="The study",
    description="The published study as it was: four networks, one seed, normalization and penalty changed "
    "together, the learning rate set by the test loss.",
    configs=(
        {"normalization": "batch", "l1": STUDY_L1, "l2": STUDY_L2},
        {"normalization": "group", "l1": STUDY_L1},
        {"normalization": "layer", "l2": STUDY_L2},
        {"normalization": "instance", "affine": False, "l1": STUDY_L1, "l2": STUDY_L2},
    ),
    recipe={"penalize": "all", "validation_size": 0, **STUDY_TRAINING},
    num_seeds=1,
    is_request_by_name=True,
)

FAIR_GRID = Preset(
    name="fair-grid",
    title="Fair grid",
    description="Every normalization with every penalty, like compared with like: penalties on weights "
    "alone, γ and β everywhere, validation images held out, thirteen seeds.",
    grid={"normalization": list(NORMALIZATIONS), "penalty": list(PENALTIES)},
    recipe=STUDY_TRAINING,
    num_seeds=NUM_FAIR_SEEDS,
)

FAIR_TUNED = Preset(
    name="fair-tuned",
    title="Fair grid, tuned",
    description="The fair grid, each configuration at the learning rate that serves it best on held-out "
    "images: six rates, three seeds and five epochs for every one, then other seeds; one cycle of the rate.",
    grid=FAIR_GRID.grid,
    recipe={
        "epochs": 8,
        "batch_size": STUDY_BATCH_SIZE,
        "momentum": 0.9,
        "schedule": "onecycle",
        "rotation_degrees": 6.9,
    },
    num_seeds=NUM_FAIR_SEEDS,
    tune=TuneRequest(learning_rates=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32), num_seeds=3, epochs=5),
)

BATCH_SIZE = Preset(
    name="batch-size",
    title="Batch sizes",
    description="Batch against group normalization from 128 images a batch down to 2, the learning rate in "
    "proportion to the batch, where batch normalization should fall behind (Wu & He 2018).",
    configs=tuple(
        {
            "normalization": normalization,
            "batch_size": batch_size,
            "learning_rate": STUDY_LEARNING_RATE * batch_size / STUDY_BATCH_SIZE,
        }
        for normalization in ("batch", "group")
        for batch_size in BATCH_SIZES
    ),
    recipe={"epochs": 5, "momentum": 0.9, "schedule": "onecycle", "rotation_degrees": 6.9},
    num_seeds=NUM_BATCH_SIZE_SEEDS,
)

BEST = Preset(
    name="best",
    title="Best recipe",
    description="This network's best recipe on MNIST: 99.5 % of the test images, the mean of six seeds after "
    "the last of 20 epochs. Batch normalization, one cycle of the learning rate, images rotated, shifted and "
    "scaled, no penalty, every training image, under 8,000 parameters.",
    configs=({"normalization": "batch", "dropout": 0.0},),
    recipe={
        "epochs": 20,
        "batch_size": 64,
        "learning_rate": 0.1,
        "momentum": 0.9,
        "schedule": "onecycle",
        "rotation_degrees": 11.0,
        "translation_pixels": 1.0,
        "scaling_percent": 10.0,
        "validation_size": 0,
    },
)

PRESETS: dict[str, Preset] = {
    preset.name: preset for preset in (STUDY, FAIR_GRID, FAIR_TUNED, BATCH_SIZE, BEST)
}


def find_preset(name: str) -> Preset:
    """The preset called ``name``.

    Raises:
        InvalidConfigError: there is none of that name.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise InvalidConfigError(f"preset is {name!r}; it must be one of {', '.join(PRESETS)}.") from None
