"""Factors: the fields in which configurations can differ, and words for their levels."""

from collections.abc import Sequence
from typing import Any

from lab.experiments.configs import CONFIG_FIELDS, STUDY_L1, STUDY_L2, RunConfig

Settings = dict[str, Any]


FACTORS = (
    "normalization",
    "penalty",
    *(
        name
        for name in CONFIG_FIELDS
        if name not in ("normalization", "l1", "l2", "dataset", "label", "seed")
    ),
)


def read_settings(config: RunConfig, *, is_tuned: bool = False) -> Settings:
    """The configuration's factors by name; None for one that has no meaning in it.

    A learning rate that was tuned for the configuration belongs to it and is none of its factors. ``groups``
    means something within group normalization alone, ``affine`` within any, ``penalize`` where there is a
    penalty and γ and β to spare, ``schedule_metric`` where the schedule watches a loss.
    """
    settings = {name: getattr(config, name, None) for name in FACTORS}
    settings["penalty"] = (config.l1, config.l2)
    settings["groups"] = config.num_groups or None
    is_affine = config.normalization != "none" and config.affine
    if config.normalization == "none":
        settings["affine"] = None
    if not is_affine or settings["penalty"] == (0, 0):
        settings["penalize"] = None
    if is_tuned:
        settings["learning_rate"] = None
    if config.schedule != "plateau":
        settings["schedule_metric"] = None
    return settings


def find_differing(a: Settings, b: Settings) -> list[str]:
    """Name the factors in which two configurations differ, among those that apply to both."""
    return [name for name in FACTORS if a[name] != b[name] and a[name] is not None and b[name] is not None]


def fold_tuned_rates(settings: Sequence[Settings]) -> list[Settings] | None:
    """The settings without learning rates, if each normalization has one of its own; None if not.

    Such a rate was chosen for the normalization and belongs to it.
    """
    rates: dict[str, set[float]] = {}
    for each in settings:
        rates.setdefault(each["normalization"], set()).add(each["learning_rate"])
    is_own = all(len(own) == 1 for own in rates.values()) and len(set().union(*rates.values())) > 1
    return [{**each, "learning_rate": None} for each in settings] if is_own else None


def describe_level(factor: str, value: Any) -> str:
    """A factor's value in a word or two."""
    if factor != "penalty":
        return f"{value:g}" if isinstance(value, float) else str(value)
    parts = [
        name if weight == usual else f"{name} {weight:g}"
        for name, weight, usual in (("l1", value[0], STUDY_L1), ("l2", value[1], STUDY_L2))
        if weight
    ]
    return "+".join(parts) or "none"
