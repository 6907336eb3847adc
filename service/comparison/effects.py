"""Effects of a grid's factors, changed one at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from lab.experiments.factors import Settings
from lab.wording import join_words
from service.comparison.finding import Finding
from service.comparison.grid import Effect, find_effects, find_interactions, fold_coupled, group_by_levels
from service.comparison.overall import view_levels
from service.comparison.pairs import MAX_PAIRS, ask_pair
from service.comparison.schemas import AverageEffectOut, EffectOut, FactorsOut, InteractionOut
from service.comparison.scores import Scores
from service.comparison.verdicts import Question, ask_better

Interaction = tuple[Effect, Effect, str]


@dataclass(frozen=True, kw_only=True)
class FactorQuestions:
    """The questions about a grid's factors: each effect, each average over several settings, interactions.

    An interaction is a difference of differences by seed, judged like any other: an analysis of variance
    would need the spread to be alike everywhere, and it is many times larger for a normalization that fails
    now and then.
    """

    scores: Scores
    effects: Sequence[Effect]
    averages: Sequence[Sequence[Effect]]
    interactions: Sequence[Interaction]
    warnings: Sequence[str]

    @property
    def questions(self) -> list[Question]:
        """The questions, in the order in which ``view`` takes their findings."""
        return [
            *(ask_pair(self.scores, effect.pair, [effect.factor]) for effect in self.effects),
            *(_ask_average(self.scores, group) for group in self.averages),
            *(_ask_interaction(self.scores, *one) for one in self.interactions),
        ]

    def view(self, findings: Sequence[Finding], *, level: float) -> FactorsOut:
        """The factors with their findings."""
        remaining = iter(findings)
        effects: dict[str, list[EffectOut]] = {}
        for effect, finding in zip(self.effects, _take(remaining, self.effects), strict=True):
            effects.setdefault(effect.factor, []).append(_view_effect(self.scores, effect, finding))
        averages: dict[str, list[AverageEffectOut]] = {}
        for group, finding in zip(self.averages, _take(remaining, self.averages), strict=True):
            averages.setdefault(group[0].factor, []).append(_view_average(group, finding))
        interactions = [
            _view_interaction(*one, finding)
            for one, finding in zip(self.interactions, remaining, strict=True)
        ]
        asked: dict[str, Sequence[Finding]] = {
            name: averages.get(name, found) for name, found in effects.items()
        }
        return FactorsOut(
            overall=view_levels(self.scores, self.effects, asked, level=level),
            effects=effects,
            averages=averages,
            interactions=interactions,
            warnings=list(self.warnings),
        )


def ask_factors(scores: Scores) -> FactorQuestions | None:
    """The questions about each factor; None where no two configurations differ in a single one.

    Fields of the recipe that always change together count as one.
    """
    settings, coupled = fold_coupled(scores.settings)
    effects = find_effects(settings)
    if not effects:
        return None
    interactions, warnings = _list_interactions(effects, settings)
    return FactorQuestions(
        scores=scores,
        effects=effects,
        averages=[group for group in group_by_levels(effects).values() if len(group) > 1],
        interactions=interactions,
        warnings=[*_note_tuned(scores), *_note_coupled(coupled), *warnings],
    )


def _list_interactions(
    effects: Sequence[Effect], settings: Sequence[Settings]
) -> tuple[list[Interaction], list[str]]:
    found = find_interactions(effects, settings)
    if len(found) > MAX_PAIRS:
        return [], [f"{len(found)} interactions are more than the {MAX_PAIRS} that are judged at once."]
    return found, []


def _note_coupled(coupled: dict[str, list[str]]) -> list[str]:
    return [
        f"{join_words(others).capitalize()} always changed together with {name}: what is said of {name} is "
        "said of them together."
        for name, others in coupled.items()
    ]


def _note_tuned(scores: Scores) -> list[str]:
    if not scores.is_tuned:
        return []
    return [
        "Each configuration has a learning rate of its own, tuned for it: what is said of a level is said of "
        "the level at that rate."
    ]


def _ask_average(scores: Scores, group: Sequence[Effect]) -> Question:
    factor, (a, b) = group[0].factor, group[0].levels
    others = list(group[0].held_fixed)
    varied = f"levels of {others[0]}" if len(others) == 1 else "settings of the rest"
    first, second = (
        scores.combine(_share([effect.pair[side] for effect in group], len(group))) for side in (0, 1)
    )
    places = tuple(place for effect in group for place in effect.pair)
    return ask_better(
        first,
        second,
        key=("average", factor, a, b),
        names=(a, b),
        prefix=f"averaged over {len(group)} {varied}, {factor} ",
        group="average",
        warnings=_note_unfinished(scores, places),
    )


def _share(places: Sequence[int], number: int) -> dict[int, float]:
    weights: dict[int, float] = {}
    for place in places:
        weights[place] = weights.get(place, 0.0) + 1 / number
    return weights


def _ask_interaction(scores: Scores, first: Effect, second: Effect, factor: str) -> Question:
    a, b = first.levels
    here, there = (f"{factor} {effect.held_fixed[factor]}" for effect in (first, second))
    lead = f"the lead of {a} over {b} is"
    claims = (f"{lead} higher with {here} than with {there}", f"{lead} lower with {here} than with {there}")
    return Question(
        key=("interaction", first.pair, second.pair),
        first=scores.combine(_subtract(first)),
        second=scores.combine(_subtract(second)),
        claims=claims,
        cautious_claims=(
            claims[0].replace(" is ", " is usually "),
            claims[1].replace(" is ", " is usually "),
        ),
        names=(f"the lead with {here}", f"that with {there}"),
        outcomes=("interaction", "interaction"),
        warnings=_note_unfinished(scores, (*first.pair, *second.pair)),
    )


def _subtract(effect: Effect) -> Mapping[int, float]:
    return {effect.pair[0]: 1.0, effect.pair[1]: -1.0}


def _note_unfinished(scores: Scores, places: Sequence[int]) -> tuple[str, ...]:
    note = scores.describe_unfinished(tuple(places))
    return (note,) if note else ()


def _take(findings: Iterator[Finding], like: Sequence[object]) -> list[Finding]:
    return list(islice(findings, len(like)))


def _view_effect(scores: Scores, effect: Effect, finding: Finding) -> EffectOut:
    return EffectOut(
        **vars(finding),
        factor=effect.factor,
        a_level=effect.levels[0],
        b_level=effect.levels[1],
        a=scores.labels[effect.pair[0]],
        b=scores.labels[effect.pair[1]],
        held_fixed=effect.held_fixed,
    )


def _view_average(group: Sequence[Effect], finding: Finding) -> AverageEffectOut:
    return AverageEffectOut(
        **vars(finding),
        factor=group[0].factor,
        a_level=group[0].levels[0],
        b_level=group[0].levels[1],
        averaged_over=[effect.held_fixed for effect in group],
    )


def _view_interaction(first: Effect, second: Effect, factor: str, finding: Finding) -> InteractionOut:
    return InteractionOut(
        **vars(finding),
        a_level=first.levels[0],
        b_level=first.levels[1],
        factor=factor,
        level=first.held_fixed[factor],
        other_level=second.held_fixed[factor],
    )
