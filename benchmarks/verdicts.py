"""Error rates and power of verdicts, by simulation: ``make bench-verdicts``.

Experiments are drawn with known true levels, and judged by the function that answers
``GET /experiments/{id}/comparison``: three normalizations × two penalties, or four normalizations. A false
alarm is any statement of a difference, or of practical equality, where there is none. Power is the share of
true differences between pairs that are found, beside that of Holm-adjusted sign flips. Coverage is that of
all pairs' simultaneous intervals together; ``coverage_images`` that of a pair's interval for other test
images as well, beside the crossed bootstrap's and that for other seeds alone.
"""

import argparse
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.images import ImageScenario, make_image_scenarios, simulate_images
from benchmarks.machine import describe_machine, write
from lab.experiments.configs import NORMALIZATIONS, STUDY_L2, RunConfig
from lab.experiments.looks import Look, plan_looks
from lab.statistics.paired import LEVEL
from lab.wording import join_words
from service.comparison.answer import Answer, answer_all
from service.comparison.finding import Finding
from service.comparison.scores import Scores

Noise = Callable[[np.random.Generator, int], NDArray[np.float64]]

SD = 0.002
BASE = 0.98
# The default margin on 10,000 test images.
MARGIN = 0.001


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Configurations with true means in units of ``SD``, and noise of mean 0 (configurations, seeds)."""

    name: str
    levels: Sequence[float]
    noise: Noise
    step: float | None = None
    """Scores are rounded to multiples of this, as accuracies on a test set are."""

    @property
    def configs(self) -> list[RunConfig]:
        """Three normalizations × two penalties where there are six levels, else normalizations alone."""
        if len(self.levels) == 6:
            combinations = itertools.product(NORMALIZATIONS[:3], (0.0, STUDY_L2))
        else:
            combinations = itertools.product(NORMALIZATIONS[:4], (0.0,))
        return [
            RunConfig(
                dataset="mnist",
                schedule="constant",
                normalization=name,
                l2=l2,
                label=f"{name}, {l2}",
            )
            for name, l2 in combinations
        ]

    @property
    def truths(self) -> list[float]:
        """The true difference of each pair, in the order of the pairs."""
        levels = SD * np.array(self.levels)
        return [levels[i] - levels[j] for i, j in itertools.combinations(range(len(levels)), 2)]

    @property
    def is_null(self) -> bool:
        """Whether nothing differs."""
        return not any(self.levels)

    def draw(self, generator: np.random.Generator, num_seeds: int) -> Scores:
        """Draw one experiment."""
        means = np.array(self.levels)[:, np.newaxis]
        values = BASE + SD * (means + self.noise(generator, num_seeds))
        if self.step:
            values = np.round(values / self.step) * self.step
        return Scores(configs=self.configs, seeds=list(range(num_seeds)), values=values, unfinished=[])


@dataclass(kw_only=True)
class Rates:
    """Shares of the experiments drawn, or of their true differences."""

    false_alarms: float
    false_better: float
    power: float
    average_power: float
    holm_power: float
    coverage: float
    num_experiments: int


def make_scenarios() -> list[Scenario]:
    """The scenarios, by whether there is anything to find."""
    null = (0.0,) * 6
    unequal = np.array([[1], [1], [1], [1], [1], [10]])
    return [
        Scenario(name="null", levels=null, noise=_draw_normal(6)),
        Scenario(
            name="unequal_spreads", levels=null, noise=lambda rng, n: unequal * rng.standard_normal((6, n))
        ),
        Scenario(name="heavy_tails", levels=null, noise=lambda rng, n: rng.standard_t(2, (6, n))),
        Scenario(name="rounded_to_1/10000", levels=null, noise=_draw_normal(6), step=1 / 10_000),
        Scenario(name="rounded_to_1/360", levels=null, noise=_draw_normal(6), step=1 / 360),
        Scenario(name="diverges_1_in_8", levels=null, noise=_diverge),
        Scenario(name="levels_0_-2_-3_-8", levels=(0, -2, -3, -8), noise=_draw_normal(4)),
        Scenario(
            name="levels_0_1.5_3_beside_noise",
            levels=(0, 1.5, 3, 0),
            noise=lambda rng, n: unequal[2:] * rng.standard_normal((4, n)),
        ),
        Scenario(
            name="just_beyond_the_margin",
            levels=(0, 0.51, 0, 0.51, 0, 0.51),
            noise=lambda rng, n: 0.2 * rng.standard_normal((6, n)),
        ),
        Scenario(name="one_of_six_2_ahead", levels=(2, 0, 0, 0, 0, 0), noise=_draw_normal(6)),
    ]


def simulate(scenario: Scenario, *, num_seeds: int, num_experiments: int) -> Rates:
    """Draw experiments, always the same, and count."""
    generator = np.random.default_rng(0)
    truths = scenario.truths
    num_true = max(1, sum(truth != 0 for truth in truths))
    rates = Rates(
        false_alarms=0,
        false_better=0,
        power=0,
        average_power=0,
        holm_power=0,
        coverage=0,
        num_experiments=num_experiments,
    )
    for _ in range(num_experiments):
        answer = answer_all(scenario.draw(generator, num_seeds), margin=MARGIN)
        rates.false_alarms += _is_any_false(answer, truths, is_null=scenario.is_null)
        rates.false_better += any(
            "is better" in pair.verdict and truth * (pair.difference or 0) <= 0
            for pair, truth in zip(answer.pairs, truths, strict=True)
        )
        pairs = [(pair, truth) for pair, truth in zip(answer.pairs, truths, strict=True) if truth != 0]
        rates.power += sum(_is_found(pair, truth) for pair, truth in pairs) / num_true
        rates.holm_power += sum((pair.p_holm or 1) <= LEVEL for pair, _ in pairs) / num_true
        averages = _list_true_averages(scenario, answer)
        rates.average_power += sum(_is_found(one, truth) for one, truth in averages) / max(1, len(averages))
        rates.coverage += all(
            (pair.simultaneous_low or 0) <= truth <= (pair.simultaneous_high or 0)
            for pair, truth in zip(answer.pairs, truths, strict=True)
        )
    for name in ("false_alarms", "false_better", "power", "average_power", "holm_power", "coverage"):
        setattr(rates, name, getattr(rates, name) / num_experiments)
    return rates


def simulate_looks(scenario: Scenario, looks: Sequence[Look], *, num_experiments: int) -> float:
    """The share of experiments with a false statement at any look, up to the first that settles all."""
    generator = np.random.default_rng(0)
    truths = scenario.truths
    num_false = 0
    for _ in range(num_experiments):
        scores = scenario.draw(generator, looks[-1].num_seeds)
        for look in looks:
            seen = replace(scores, values=scores.values[:, : look.num_seeds])
            answer = answer_all(seen, margin=MARGIN, level=look.level)
            if _is_any_false(answer, truths, is_null=scenario.is_null):
                num_false += 1
                break
            if not answer.can_settle_more(looks[-1].num_seeds - look.num_seeds):
                break
    return num_false / num_experiments


def main() -> None:
    """Print each rate on a line of its own: its name, the scenario, the number of seeds, the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[6, 8, 10])
    arguments = parser.parse_args()
    error = 100 * (LEVEL * (1 - LEVEL) / arguments.experiments) ** 0.5
    write(f"{describe_machine()}; {arguments.experiments} experiments each, standard error {error:.1f} %")
    for scenario in make_scenarios():
        for num_seeds in arguments.seeds:
            _write_rates(scenario, num_seeds=num_seeds, num_experiments=arguments.experiments)
    _write_looks(num_experiments=arguments.experiments)
    for images in make_image_scenarios():
        for num_seeds in arguments.seeds:
            _write_coverage(images, num_seeds=num_seeds, num_experiments=arguments.experiments)


def _write_rates(scenario: Scenario, *, num_seeds: int, num_experiments: int) -> None:
    rates = simulate(scenario, num_seeds=num_seeds, num_experiments=num_experiments)
    where = f"{scenario.name} {num_seeds} seeds"
    write(f"false_alarms_any {where} {100 * rates.false_alarms:.1f} %")
    write(f"false_better {where} {100 * rates.false_better:.1f} %")
    write(f"coverage_all {where} {100 * rates.coverage:.1f} %")
    if scenario.is_null:
        return
    write(f"power {where} {100 * rates.power:.0f} %")
    write(f"power_holm {where} {100 * rates.holm_power:.0f} %")
    if len(scenario.levels) == 6:
        write(f"power_averages {where} {100 * rates.average_power:.0f} %")


def _write_looks(*, num_experiments: int) -> None:
    planned = plan_looks([], num_seeds_before=1, most_seeds=24, is_seen=False)
    whole = [replace(look, level=LEVEL) for look in planned]
    counts = join_words([str(look.num_seeds) for look in planned])
    for name, looks in (("planned_looks", planned), ("looks_at_5_%_each", whole)):
        share = simulate_looks(make_scenarios()[0], looks, num_experiments=num_experiments)
        write(f"false_alarms_any {name} with {counts} seeds {100 * share:.1f} %")


def _write_coverage(images: ImageScenario, *, num_seeds: int, num_experiments: int) -> None:
    covered = simulate_images(images, num_seeds=num_seeds, num_experiments=num_experiments)
    where = f"{images.name} {num_seeds} seeds"
    write(f"coverage_images {where} {100 * covered.images:.1f} %")
    write(f"coverage_images_bootstrap {where} {100 * covered.bootstrap:.1f} %")
    write(f"coverage_images_by_seeds_alone {where} {100 * covered.seeds_alone:.1f} %")


def _draw_normal(num_configs: int) -> Noise:
    return lambda generator, num_seeds: generator.standard_normal((num_configs, num_seeds))


def _diverge(generator: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    """The last configuration fails one time in eight, by 20 SD, and is the better for it otherwise."""
    noise = generator.standard_normal((6, num_seeds))
    noise[-1] += 20 / 8 - 20 * (generator.random(num_seeds) < 1 / 8)
    return noise


def _is_any_false(answer: Answer, truths: Sequence[float], *, is_null: bool) -> bool:
    """Whether anything false is said of pairs, or, where nothing differs at all, of factors."""
    if any(_is_false(pair, truth) for pair, truth in zip(answer.pairs, truths, strict=True)):
        return True
    factors = answer.factors
    if factors is None or not is_null:
        return False
    findings: list[Finding] = [
        *itertools.chain(*factors.effects.values(), *factors.averages.values()),
        *factors.interactions,
    ]
    return any(one.outcome in ("a_better", "b_better", "interaction") for one in findings) or any(
        one.outcome == "levels_differ" for one in factors.overall
    )


def _list_true_averages(scenario: Scenario, answer: Answer) -> list[tuple[Finding, float]]:
    """List the averages of which a true difference is not 0, with that difference."""
    configs = scenario.configs

    def average(factor: str, level: str) -> float:
        chosen = [getattr(config, factor) == level for config in configs]
        return float(np.mean(np.array(scenario.levels)[chosen]))

    if answer.factors is None:
        return []
    truths = [
        (one, average(one.factor, one.a_level) - average(one.factor, one.b_level))
        for one in itertools.chain(*answer.factors.averages.values())
    ]
    return [(one, truth) for one, truth in truths if truth]


def _is_false(pair: Finding, truth: float) -> bool:
    if pair.outcome == "practically_same":
        return abs(truth) > pair.margin
    return pair.outcome in ("a_better", "b_better") and truth * (pair.difference or 0) <= 0


def _is_found(pair: Finding, truth: float) -> bool:
    return pair.outcome in ("a_better", "b_better") and truth * (pair.difference or 0) > 0


if __name__ == "__main__":
    main()
