"""Effects of a grid's factors, changed one at a time."""

from collections.abc import Sequence

from lab.experiments.factors import Settings, read_settings
from lab.wording import join_words
from service.comparison.grid import Effect, find_effects, find_interactions, fold_coupled, group_by_levels
from service.comparison.overall import compare_levels
from service.comparison.pairs import MAX_PAIRS, ask_pair
from service.comparison.schemas import AverageEffectOut, EffectOut, FactorsOut, InteractionOut
from service.comparison.scores import Scores
from service.comparison.verdicts import Question, judge


def compare_factors(scores: Scores) -> FactorsOut | None:
    """The effect of each factor with the others held fixed, its average, and how normalization interacts.

    An interaction is a difference of differences by seed, under the sign-flip test like any other: an
    analysis of variance would need the spread to be alike everywhere, and it is many times larger for a
    normalization that fails now and then. Fields of the recipe that always change together count as one.
    None where no two configurations differ in a single factor.
    """
    settings, coupled = fold_coupled([read_settings(config) for config in scores.configs])
    effects = find_effects(settings)
    if not effects:
        return None
    factors = list(dict.fromkeys(effect.factor for effect in effects))
    by_factor = {name: [effect for effect in effects if effect.factor == name] for name in factors}
    averages = {name: _judge_averages(scores, by_factor[name]) for name in factors}
    interactions, warnings = _judge_interactions(scores, effects, settings)
    return FactorsOut(
        overall=compare_levels(scores, effects),
        effects={name: _judge_effects(scores, by_factor[name]) for name in factors},
        averages={name: found for name, found in averages.items() if found},
        interactions=interactions,
        warnings=[*_note_coupled(coupled), *warnings],
    )


def _note_coupled(coupled: dict[str, list[str]]) -> list[str]:
    return [
        f"{join_words(others).capitalize()} always changed together with {name}: what is said of {name} is "
        "said of them together."
        for name, others in coupled.items()
    ]


def _judge_effects(scores: Scores, effects: Sequence[Effect]) -> list[EffectOut]:
    findings = judge([ask_pair(scores, effect.pair, [effect.factor]) for effect in effects])
    return [
        EffectOut(
            **vars(finding),
            factor=effect.factor,
            a_level=effect.levels[0],
            b_level=effect.levels[1],
            a=scores.labels[effect.pair[0]],
            b=scores.labels[effect.pair[1]],
            held_fixed=effect.held_fixed,
        )
        for effect, finding in zip(effects, findings, strict=True)
    ]


def _judge_averages(scores: Scores, effects: Sequence[Effect]) -> list[AverageEffectOut]:
    groups = [group for group in group_by_levels(effects).values() if len(group) > 1]
    questions = []
    for group in groups:
        weights = _add_up([(effect.pair, 1 / len(group)) for effect in group])
        factor, (a, b) = group[0].factor, group[0].levels
        others = list(group[0].held_fixed)
        varied = f"levels of {others[0]}" if len(others) == 1 else "settings of the rest"
        words = f"averaged over {len(group)} {varied}, {factor}"
        questions.append(
            Question(
                differences=scores.combine(weights),
                claims=(f"{words} {a} is better than {b}", f"{words} {b} is better than {a}"),
                warnings=_note_unfinished(scores, weights),
            )
        )
    return [
        AverageEffectOut(
            **vars(finding),
            factor=group[0].factor,
            a_level=group[0].levels[0],
            b_level=group[0].levels[1],
            averaged_over=[effect.held_fixed for effect in group],
        )
        for group, finding in zip(groups, judge(questions), strict=True)
    ]


def _judge_interactions(
    scores: Scores, effects: Sequence[Effect], settings: Sequence[Settings]
) -> tuple[list[InteractionOut], list[str]]:
    found = find_interactions(effects, settings)
    if len(found) > MAX_PAIRS:
        return [], [f"{len(found)} interactions are more than the {MAX_PAIRS} that are judged at once."]
    questions = []
    for first, second, factor in found:
        weights = _add_up([(first.pair, 1.0), (second.pair, -1.0)])
        a, b = first.levels
        here, there = (f"{factor} {effect.held_fixed[factor]}" for effect in (first, second))
        lead = f"the lead of {a} over {b} is"
        questions.append(
            Question(
                differences=scores.combine(weights),
                claims=(
                    f"{lead} higher with {here} than with {there}",
                    f"{lead} lower with {here} than with {there}",
                ),
                outcomes=("interaction", "interaction"),
                warnings=_note_unfinished(scores, weights),
            )
        )
    return [
        InteractionOut(
            **vars(finding),
            a_level=first.levels[0],
            b_level=first.levels[1],
            factor=factor,
            level=first.held_fixed[factor],
            other_level=second.held_fixed[factor],
        )
        for (first, second, factor), finding in zip(found, judge(questions), strict=True)
    ], []


def _add_up(weighted: Sequence[tuple[tuple[int, int], float]]) -> dict[int, float]:
    """Each configuration's weight in a sum of differences."""
    weights: dict[int, float] = {}
    for (i, j), weight in weighted:
        weights[i] = weights.get(i, 0.0) + weight
        weights[j] = weights.get(j, 0.0) - weight
    return weights


def _note_unfinished(scores: Scores, weights: dict[int, float]) -> tuple[str, ...]:
    note = scores.describe_unfinished(tuple(weights))
    return (note,) if note else ()
