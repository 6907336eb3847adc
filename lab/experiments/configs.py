"""The configuration of one run: every number that training depends on, and nothing else.

Standard library only, so that training can import it on a bare GPU machine.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from lab.errors import InvalidConfigError
from lab.experiments.architecture import NORMALIZED_CHANNELS, LayerDescription, describe_layers
from lab.wording import join_words

Normalization = Literal["batch", "group", "layer", "instance", "none"]
Penalize = Literal["all", "weights"]
Schedule = Literal["plateau", "onecycle", "constant"]
ScheduleMetric = Literal["validation", "test"]
Interpolation = Literal["bilinear", "nearest"]

NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)

STUDY_L1 = 1e-4
STUDY_L2 = 1e-3
PENALTIES: dict[str, tuple[float, float]] = {
    "none": (0.0, 0.0),
    "l1": (STUDY_L1, 0.0),
    "l2": (0.0, STUDY_L2),
    "l1+l2": (STUDY_L1, STUDY_L2),
}
"""Penalty name → (λ1, λ2)."""

STUDY_GROUPS = (4, 2, 2, 2, 2, 2, 2)
"""``num_groups`` of the study's seven normalized blocks."""

DEFAULT_DROPOUT = 0.01
MAX_EPOCHS = 1_000
MAX_BATCH_SIZE = 8_192
MAX_VALIDATION_SIZE = 1_000_000
MAX_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One training run: a network, a penalty, a recipe, a data set and a seed.

    The loss is cross-entropy + l1·Σ|w| + l2·Σw², the sums over all parameters (``penalize="all"``) or over
    the convolution weights (``"weights"``). ``groups`` is ``num_groups`` of group normalization, one number
    for every block or one per block; other normalizations carry ``None``. ``schedule_metric`` names the loss
    that the plateau schedule watches. Training images are turned, moved and scaled by up to
    ``rotation_degrees``, ``translation_pixels`` and ``scaling_percent`` either way, and read between their
    pixels by ``interpolation``.

    Raises:
        InvalidConfigError: a value that could not be trained, with what would be right.
    """

    dataset: str
    normalization: Normalization = "batch"
    l1: float = 0.0
    l2: float = 0.0
    dropout: float = DEFAULT_DROPOUT
    groups: int | tuple[int, ...] | None = None
    affine: bool = True
    penalize: Penalize = "weights"
    label: str = ""
    seed: int = 0
    epochs: int = 25
    batch_size: int = 128
    learning_rate: float = 0.04
    momentum: float = 0.9
    schedule: Schedule = "plateau"
    schedule_metric: ScheduleMetric = "validation"
    rotation_degrees: float = 6.9
    translation_pixels: float = 0.0
    scaling_percent: float = 0.0
    interpolation: Interpolation = "bilinear"
    validation_size: int = 0

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_ranges()
        object.__setattr__(self, "groups", self._resolve_groups())

    @property
    def num_groups(self) -> tuple[int, ...]:
        """``num_groups`` of each normalized block; empty unless the normalization is group."""
        return self.groups if isinstance(self.groups, tuple) else ()

    @property
    def penalty(self) -> str:
        """Name of the penalty: none, l1, l2 or l1+l2."""
        return "+".join(name for name, value in (("l1", self.l1), ("l2", self.l2)) if value) or "none"

    @property
    def layers(self) -> list[LayerDescription]:
        """The network's layers, in the order an image passes them."""
        return describe_layers(
            self.normalization, num_groups=self.num_groups, affine=self.affine, dropout=self.dropout
        )

    @property
    def num_parameters(self) -> int:
        """Trainable parameters of the network."""
        return sum(layer.parameters for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """The configuration as plain JSON values."""
        return {**asdict(self), "groups": list(self.num_groups) or None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RunConfig":
        """Make the configuration from the result of ``to_json``."""
        groups = values.get("groups")
        return cls(**{**values, "groups": tuple(groups) if isinstance(groups, list) else groups})

    def _check_choices(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise InvalidConfigError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")
        if self.schedule == "plateau" and self.schedule_metric == "validation" and self.validation_size == 0:
            raise InvalidConfigError(
                "The plateau schedule watches the validation loss, and validation_size is 0; hold out some "
                "images, or choose the onecycle or constant schedule."
            )

    def _check_ranges(self) -> None:
        for name, (is_allowed, requirement) in RANGES.items():
            value = getattr(self, name)
            if not is_allowed(value):
                # Python refuses to write out an integer of thousands of digits.
                shown = value if isinstance(value, float) or abs(value) < 10**18 else "too large"
                raise InvalidConfigError(f"{name} is {shown}; it must be {requirement}.")

    def _resolve_groups(self) -> tuple[int, ...] | None:
        if self.normalization != "group":
            return None
        groups = STUDY_GROUPS if self.groups is None else self.groups
        per_block = (groups,) * len(NORMALIZED_CHANNELS) if isinstance(groups, int) else tuple(groups)
        if len(per_block) != len(NORMALIZED_CHANNELS):
            raise InvalidConfigError(
                f"groups has {len(per_block)} numbers; give one number, or {len(NORMALIZED_CHANNELS)}, one "
                "for each normalized block."
            )
        for num_groups, channels in zip(per_block, NORMALIZED_CHANNELS, strict=True):
            if num_groups < 1 or channels % num_groups:
                divisors = [str(n) for n in range(1, channels + 1) if channels % n == 0]
                raise InvalidConfigError(
                    f"groups={num_groups} does not divide the {channels} channels of a block; "
                    f"{join_words(divisors)} would. One number for every block can be 1 or 2; the study has "
                    f"{list(STUDY_GROUPS)}."
                )
        return per_block


CHOICES: dict[str, tuple[str, ...]] = {
    "normalization": NORMALIZATIONS,
    "penalize": get_args(Penalize),
    "schedule": get_args(Schedule),
    "schedule_metric": get_args(ScheduleMetric),
    "interpolation": get_args(Interpolation),
}

# Both ends are bounded, so that NaN and infinity are refused like any other value out of range.
RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "l1": (lambda value: 0 <= value <= 1, "between 0 and 1"),
    "l2": (lambda value: 0 <= value <= 1, "between 0 and 1"),
    "dropout": (lambda value: 0 <= value < 1, "at least 0 and below 1"),
    "seed": (lambda value: 0 <= value <= MAX_SEED, f"between 0 and {MAX_SEED}"),
    "epochs": (lambda value: 1 <= value <= MAX_EPOCHS, f"between 1 and {MAX_EPOCHS}"),
    "batch_size": (lambda value: 1 <= value <= MAX_BATCH_SIZE, f"between 1 and {MAX_BATCH_SIZE}"),
    "learning_rate": (lambda value: 0 < value <= 10, "above 0 and at most 10"),
    "momentum": (lambda value: 0 <= value < 1, "at least 0 and below 1"),
    "rotation_degrees": (lambda value: 0 <= value <= 180, "between 0 and 180"),
    "translation_pixels": (lambda value: 0 <= value <= 14, "between 0 and 14"),
    "scaling_percent": (lambda value: 0 <= value <= 50, "between 0 and 50"),
    "validation_size": (
        lambda value: 0 <= value <= MAX_VALIDATION_SIZE,
        f"between 0 and {MAX_VALIDATION_SIZE}",
    ),
}


CONFIG_FIELDS: tuple[str, ...] = tuple(field.name for field in fields(RunConfig))
