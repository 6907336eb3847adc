"""Cautions: limits on the conclusions from an experiment, known from its plan alone."""

from collections.abc import Sequence
from itertools import combinations

from lab.experiments.configs import RunConfig
from lab.experiments.factors import FACTORS, Settings, find_differing, fold_tuned_rates, read_settings
from lab.statistics.paired import MIN_SEEDS
from lab.wording import count_words, join_words


def find_warnings(configs: Sequence[RunConfig], *, is_tuned: bool = False) -> list[str]:
    """List the limits of the experiment's results, in sentences.

    ``is_tuned`` says that each configuration's learning rate was tuned for it.
    """
    warnings = []
    if any(config.schedule == "plateau" and config.schedule_metric == "test" for config in configs):
        warnings.append(
            "The test loss set the learning rate, as in the study this repeats, so the test figures are a "
            "little optimistic. Give validation_size to hold out training images for that."
        )
    num_seeds = len({config.seed for config in configs})
    if len({config.label for config in configs}) > 1 and num_seeds < MIN_SEEDS:
        warnings.append(
            f"Cannot conclude which configuration is better: {count_words(num_seeds, 'seed')} each, "
            f"and {MIN_SEEDS} are the fewest that an exact paired test can conclude from."
        )
    by_label = {config.label: config for config in configs}
    settings = [read_settings(config, is_tuned=is_tuned) for config in by_label.values()]
    if is_tuned:
        warnings.append(
            "Each configuration has the learning rate that served it best on held-out training images: what "
            "is said of it is said of the two together."
        )
    elif folded := fold_tuned_rates(settings):
        warnings.append(
            "Each normalization has a learning rate of its own: what is said of the normalization is said of "
            "the two together."
        )
        settings = folded
    if confounded := _find_confounded(settings):
        warnings.append(
            f"{join_words(confounded).capitalize()} change together, so a difference cannot be put down to "
            "one of them. A grid of all combinations can tell them apart."
        )
    return warnings


def _find_confounded(settings: Sequence[Settings]) -> list[str]:
    """Factors that differ, when no two configurations differ in the normalization alone."""
    differing = [find_differing(a, b) for a, b in combinations(settings, 2)]
    changes = [names for names in differing if "normalization" in names]
    if ["normalization"] in changes:
        return []
    return [name for name in FACTORS if any(name in names for names in changes)]
