"""The published grid, judged again from its runs' figures by an independent computation."""

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from lab.datasets.load import DATASETS
from lab.experiments.configs import NORMALIZATIONS, PENALTIES, RunConfig
from lab.experiments.planning import plan_experiment
from service.comparison.answer import answer_all
from service.comparison.scores import Scores
from service.experiments.requests import ExperimentIn

EVIDENCE = Path(__file__).parents[3] / "docs" / "data" / "normalization-penalty-mnist.csv"
NUM_SEEDS = 10
"""Six, and four that were added once those were seen, so that everything is judged at half the level."""

LEVEL = 0.025
RATES = {"batch": 0.16, "group": 0.08, "layer": 0.04, "instance": 0.32}

Table = dict[tuple[str, str], NDArray[np.float64]]


@pytest.fixture(scope="module")
def table() -> Table:
    """The final test accuracies of each normalization and penalty, by seed."""
    scores: dict[tuple[str, str], list[float]] = {}
    with EVIDENCE.open() as file:
        for row in csv.DictReader(file):
            scores.setdefault((row["normalization"], row["penalty"]), []).append(
                float(row["final_test_accuracy"])
            )
    assert {len(values) for values in scores.values()} == {NUM_SEEDS}
    return {key: np.array(values) for key, values in scores.items()}


def list_differences(table: Table) -> dict[object, NDArray[np.float64]]:
    """Every difference of the answer: pairs, averages of both factors, differences of differences."""
    normalizations = [name for name in NORMALIZATIONS if name in RATES]
    found: dict[object, NDArray[np.float64]] = {
        pair: table[pair[0]] - table[pair[1]] for pair in itertools.combinations(table, 2)
    }
    for a, b in itertools.combinations(normalizations, 2):
        lead = {penalty: table[a, penalty] - table[b, penalty] for penalty in PENALTIES}
        found[a, b] = np.mean(list(lead.values()), axis=0)
        for one, other in itertools.combinations(PENALTIES, 2):
            found[a, b, one, other] = lead[one] - lead[other]
    for one, other in itertools.combinations(PENALTIES, 2):
        found[one, other] = np.mean([table[n, one] - table[n, other] for n in normalizations], axis=0)
    return found


def adjust(differences: dict[object, NDArray[np.float64]]) -> dict[object, float]:
    """Westfall and Young's step-down, literally: the clearest difference against all that are left.

    t is measured by Bonferroni's critical value, of which the averages have one half and the rest the other.
    """
    num_seeds = len(next(iter(differences.values())))
    flips = np.array(list(itertools.product([1, -1], repeat=num_seeds)))
    num_averages = sum(is_average(name) for name in differences)

    def find_t(name: object) -> NDArray[np.float64]:
        flipped = flips * differences[name]
        spreads = flipped.std(axis=1, ddof=1)
        t = np.abs(flipped.mean(axis=1)) * num_seeds**0.5 / np.where(spreads > 1e-12, spreads, np.inf)
        number = num_averages if is_average(name) else len(differences) - num_averages
        critical: NDArray[np.float64] = t / stats.t.isf(0.05 / 4 / number, num_seeds - 1)
        return critical

    scaled = {name: find_t(name) for name in differences}
    left = sorted(differences, key=lambda name: -scaled[name][0])
    adjusted: dict[object, float] = {}
    reached = 0.0
    while left:
        largest = np.max([scaled[name] for name in left], axis=0)
        reached = max(reached, float(np.mean(largest >= scaled[left[0]][0] * (1 - 1e-9))))
        adjusted[left.pop(0)] = reached
    return adjusted


def is_average(name: object) -> bool:
    """Whether a key of ``list_differences`` is that of an average: two levels, no pair of configurations."""
    return isinstance(name, tuple) and len(name) == 2 and isinstance(name[0], str)


def test_the_published_request_means_the_published_runs(table: Table) -> None:
    body = json.loads(EVIDENCE.with_suffix(".json").read_text())
    spec = plan_experiment(ExperimentIn.model_validate(body).to_request(), dataset=DATASETS["mnist"])

    configs = {(run.normalization, run.penalty): run for run in spec.runs}
    assert list(configs) == list(table)
    assert {run.normalization: run.learning_rate for run in spec.runs} == RATES
    assert {(run.epochs, run.schedule, run.validation_size) for run in spec.runs} == {(8, "onecycle", 5_000)}


def test_adjusted_p_of_pairs_averages_and_interactions(table: Table) -> None:
    configs = [
        RunConfig.from_json(
            {
                "dataset": "mnist",
                "schedule": "onecycle",
                "normalization": name,
                "l1": PENALTIES[penalty][0],
                "l2": PENALTIES[penalty][1],
                "learning_rate": RATES[name],
                "label": f"{name} {penalty}",
            }
        )
        for name, penalty in table
    ]
    values = np.stack([*table.values()])
    scores = Scores(configs=configs, seeds=list(range(NUM_SEEDS)), values=values, unfinished=[])
    answer = answer_all(scores, margin=0.001, level=LEVEL)
    expected = adjust(list_differences(table))
    keys = dict(zip(scores.labels, table, strict=True))

    assert len(expected) == 120 + 6 + 6 + 36
    assert answer.factors is not None
    assert {one.num_tests for one in answer.pairs} == {168}
    for pair in answer.pairs:
        assert pair.p_adjusted == pytest.approx(expected[keys[pair.a], keys[pair.b]])
    for average in itertools.chain(*answer.factors.averages.values()):
        assert average.p_adjusted == pytest.approx(expected[average.a_level, average.b_level])
    for one in answer.factors.interactions:
        assert one.p_adjusted == pytest.approx(expected[one.a_level, one.b_level, one.level, one.other_level])


def test_verdicts_are_those_of_the_published_results(table: Table) -> None:
    """As docs/results.md states: 25 pairs, four averages, one interaction."""
    found = adjust(list_differences(table))
    clear = [name for name, p in found.items() if p <= LEVEL]

    averages = {name for name in clear if is_average(name)}
    assert averages == {
        ("batch", "layer"),
        ("batch", "instance"),
        ("group", "instance"),
        ("layer", "instance"),
    }
    assert ("batch", "instance", "l1", "l2") in clear
    assert len(clear) == 25 + 4 + 1
