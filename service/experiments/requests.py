"""Types and shapes of request bodies; ``lab.experiments.configs`` checks the values."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt

from lab.errors import InvalidConfigError
from lab.experiments.configs import Interpolation, Normalization, Penalize, Schedule
from lab.experiments.planning import MAX_RUNS, ExperimentRequest
from lab.experiments.presets import TuneRequest
from service.dependencies import StrictModel

Groups = Annotated[
    StrictInt | list[StrictInt] | None,
    Field(description="num_groups of group normalization: one number for every block, or one per block."),
]


class RecipeIn(StrictModel):
    """The recipe of a training run; a configuration's own fields come before the experiment's."""

    epochs: StrictInt | None = None
    batch_size: StrictInt | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    schedule: Schedule | None = None
    rotation_degrees: float | None = Field(
        None, description="Maximum rotation of training images in degrees, either way."
    )
    translation_pixels: float | None = Field(
        None, description="Maximum shift of training images in pixels, in each direction."
    )
    scaling_percent: float | None = Field(
        None, description="Maximum change of their size in percent, either way."
    )
    interpolation: Interpolation | None = Field(
        None, description="How distorted images are read between pixels; bilinear if not given."
    )
    validation_size: StrictInt | None = Field(
        None, description="Training images held out; a twelfth of them if not given, none in the study."
    )


class ConfigIn(RecipeIn):
    """One configuration; fields left out have the experiment's recipe and RunConfig's defaults."""

    normalization: Normalization = Field("batch", description="The layer after each 3×3 convolution.")
    l1: float = Field(0.0, description="λ1 of the penalty λ1·Σ|w|; the study has 1e-4.")
    l2: float = Field(0.0, description="λ2 of the penalty λ2·Σw²; the study has 1e-3.")
    dropout: float = Field(0.01, description="Share of activations zeroed while training.")
    groups: Groups = None
    affine: StrictBool = Field(True, description="Whether the normalization learns γ and β.")
    penalize: Penalize = Field(
        "weights", description="Penalize all parameters, γ and β too, or the convolution weights alone."
    )
    label: str | None = Field(None, min_length=1, max_length=80, description="Name in tables and legends.")


class GridIn(StrictModel):
    """Values to combine; a recipe field given here varies between configurations."""

    normalization: list[Normalization] | None = None
    penalty: list[Literal["none", "l1", "l2", "l1+l2"]] | None = None
    l1: list[float] | None = None
    l2: list[float] | None = None
    dropout: list[float] | None = None
    groups: list[Groups] | None = None
    affine: list[StrictBool] | None = None
    penalize: list[Penalize] | None = None
    epochs: list[StrictInt] | None = None
    batch_size: list[StrictInt] | None = None
    learning_rate: list[float] | None = None
    momentum: list[float] | None = None
    schedule: list[Schedule] | None = None
    rotation_degrees: list[float] | None = None
    translation_pixels: list[float] | None = None
    scaling_percent: list[float] | None = None
    interpolation: list[Interpolation] | None = None
    validation_size: list[StrictInt] | None = None


class TuneIn(StrictModel):
    """Learning rates to try for every configuration before the comparison."""

    learning_rate: list[float] = Field(description="The rates, two or more; each configuration tries all.")
    seeds: StrictInt = Field(3, ge=1, le=MAX_RUNS, description="Seeds for each, none of the comparison's.")
    epochs: StrictInt = Field(5, ge=1, description="Epochs for each.")

    def to_request(self) -> TuneRequest:
        """The tuning in the domain's words."""
        return TuneRequest(learning_rates=self.learning_rate, num_seeds=self.seeds, epochs=self.epochs)


class ExperimentIn(RecipeIn):
    """An experiment to queue. An empty body is the study: four configurations, one seed, 25 epochs."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {},
                {"dataset": "digits", "epochs": 2},
                {"dataset": "digits", "preset": "fair-grid", "epochs": 10},
                {
                    "dataset": "digits",
                    "grid": {"normalization": ["batch", "group"], "penalty": ["none", "l2"]},
                    "seeds": 6,
                },
            ]
        },
    )

    name: str | None = Field(None, min_length=1, max_length=200)
    dataset: str | None = Field(None, description="mnist, digits, fashion_mnist or kmnist.")
    preset: str | None = Field(None, description="Name of an experiment that GET /presets describes.")
    configs: list[ConfigIn] | None = Field(None, description="The configurations; or else a grid.")
    grid: GridIn | None = Field(None, description="Every combination of the values listed.")
    seeds: StrictInt | list[StrictInt] | None = Field(
        None, description="How many seeds, from 0, or which ones; 1 if not given, or the preset's."
    )
    tune: TuneIn | None = Field(
        None,
        description="Give each configuration the learning rate that serves it best on held-out training "
        "images; the preset fair-tuned has such a tuning.",
    )
    priority: StrictInt = Field(
        0, description="From -100 to 100; queued runs of a higher priority are trained first."
    )

    def to_request(self) -> ExperimentRequest:
        """The request in the domain's words.

        Raises:
            InvalidConfigError: seeds is a count that no experiment can have.
        """
        seeds = self.seeds
        if isinstance(seeds, int):
            if not 1 <= seeds <= MAX_RUNS:
                raise InvalidConfigError(
                    f"seeds is {seeds}; it must be a count from 1 to {MAX_RUNS}, or a list."
                )
            seeds = list(range(seeds))
        given: dict[str, Any] = self.model_dump(exclude_none=True)
        return ExperimentRequest(
            name=self.name,
            preset=self.preset,
            configs=given.get("configs"),
            grid=given.get("grid"),
            seeds=seeds,
            recipe={name: given[name] for name in RecipeIn.model_fields if name in given},
            tune=self.tune.to_request() if self.tune else None,
            priority=self.priority,
        )
