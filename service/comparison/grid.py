"""Questions that a grid answers: effects of one factor changed at a time, and interactions."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lab.experiments.factors import FACTORS, Settings, describe_level, find_differing, fold_tuned_rates

Pair = tuple[int, int]
"""Two configurations by their place in the list; the difference is the first's figure minus the second's."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Two configurations that differ in one factor alone; ``held_fixed``: the other factors that vary."""

    factor: str
    pair: Pair
    levels: tuple[str, str]
    held_fixed: dict[str, str]


def fold_coupled(settings: Sequence[Settings]) -> tuple[list[Settings], dict[str, list[str]]]:
    """Count fields of the recipe that always change together as one factor, the first.

    The others are given no meaning, and are named by the one that stands for them: a learning rate in
    proportion to the batch size belongs to it, and one that was chosen for each normalization to that. What
    is compared, normalization and penalty, is never folded: those two changing together is what confounds.
    """
    coupled: dict[str, list[str]] = {}
    if folded := fold_tuned_rates(settings):
        coupled["normalization"] = ["learning_rate"]
        settings = folded
    recipe = [name for name in _list_varying(settings) if name not in ("normalization", "penalty")]
    for name, other in itertools.combinations(recipe, 2):
        pairs = {(repr(each[name]), repr(each[other])) for each in settings}
        num_values = [len({pair[side] for pair in pairs}) for side in (0, 1)]
        is_folded = any(other in others for others in coupled.values())
        if num_values == [len(pairs)] * 2 and not is_folded:
            coupled.setdefault(name, []).append(other)
    meaningless = dict.fromkeys(itertools.chain(*coupled.values()))
    return [{**each, **meaningless} for each in settings], coupled


def find_effects(settings: Sequence[Settings]) -> list[Effect]:
    """Every pair that differs in exactly one factor, in the order of ``FACTORS``."""
    varying = _list_varying(settings)
    effects = []
    for pair in itertools.combinations(range(len(settings)), 2):
        a, b = settings[pair[0]], settings[pair[1]]
        differing = find_differing(a, b)
        if len(differing) != 1:
            continue
        factor = differing[0]
        held = {name: a[name] if a[name] is not None else b[name] for name in varying if name != factor}
        effects.append(
            Effect(
                factor=factor,
                pair=pair,
                levels=(describe_level(factor, a[factor]), describe_level(factor, b[factor])),
                held_fixed={
                    name: describe_level(name, value) for name, value in held.items() if value is not None
                },
            )
        )
    return sorted(effects, key=lambda effect: FACTORS.index(effect.factor))


def group_by_levels(effects: Sequence[Effect]) -> dict[tuple[str, tuple[str, str]], list[Effect]]:
    """The same change of the same factor, wherever in the grid it was made."""
    groups: dict[tuple[str, tuple[str, str]], list[Effect]] = defaultdict(list)
    for effect in effects:
        flipped = (effect.factor, effect.levels[::-1])
        if flipped in groups:
            effect = Effect(
                factor=effect.factor,
                pair=effect.pair[::-1],
                levels=effect.levels[::-1],
                held_fixed=effect.held_fixed,
            )
        groups[effect.factor, effect.levels].append(effect)
    return dict(groups)


def find_interactions(
    effects: Sequence[Effect], settings: Sequence[Settings]
) -> list[tuple[Effect, Effect, str]]:
    """Two changes of normalization, the same but for one other factor, and that factor's name."""
    found = []
    changes = [effect for effect in effects if effect.factor == "normalization"]
    for group in group_by_levels(changes).values():
        for first, second in itertools.combinations(group, 2):
            differing = [
                find_differing(settings[one], settings[other])
                for one, other in zip(first.pair, second.pair, strict=True)
            ]
            if differing[0] == differing[1] and len(differing[0]) == 1:
                found.append((first, second, differing[0][0]))
    return found


def _list_varying(settings: Sequence[Settings]) -> list[str]:
    """Factors with more than one level, leaving out where they have no meaning."""
    return [name for name in FACTORS if len({repr(each[name]) for each in settings} - {"None"}) > 1]
