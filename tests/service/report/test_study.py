"""What the report says of the study's conclusions: supported only where the seeds can tell."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.experiments.configs import RunConfig
from lab.runs.records import ExperimentRecord
from lab.statistics.paired import describe_differences
from service.report.blocks import Finding, Table
from service.report.data import Material, collect_material
from service.report.sections.leads import Lead
from service.report.sections.study import STUDY_FINAL_PERCENT, write_study_claims
from tests.service.finished_runs import finish_runs, submit

BASE_URL = "http://lab.test"
CLAIMS = (
    "Order",
    "The margins",
    "Batch and group",
    "Group norm does not fluctuate",
    "The penalties",
    "The effect could be due",
)
Levels = dict[str, float]
STUDY_LEVELS: Levels = {name: percent / 100 for name, percent in STUDY_FINAL_PERCENT.items()}
STEADY = {"group": 0.0005, "batch": 0.004, "layer": 0.005, "instance": 0.006}
Collect = Callable[..., Material]


@pytest.fixture
def collect(client: TestClient, app: FastAPI) -> Collect:
    """Runs the study on the digits to these final accuracies, wobbling so much from epoch to epoch."""

    def run(
        levels: Levels,
        *,
        seeds: int,
        noise: float = 2e-4,
        wobbles: Levels = STEADY,
        leave_out: tuple[int, ...] = (),
    ) -> Material:
        def climb(config: RunConfig) -> list[float]:
            place = list(levels).index(config.normalization)
            error = np.random.default_rng([config.seed, place]).normal(0, noise)
            wobble = wobbles[config.normalization] * (1 + 0.1 * config.seed)
            return [levels[config.normalization] + error + wobble * (epoch % 2) for epoch in range(1, 7)]

        experiment_id = submit(client, seeds=seeds)
        finish_runs(app, experiment_id, climb, leave_out=leave_out)
        with app.state.resources.database.transaction() as session:
            return collect_material(session, app.state.test_images, experiment_id)

    return run


def judge(material: Material) -> dict[str, Finding]:
    """Each claim's finding by the beginning of the claim."""
    findings = [
        block for block in write_study_claims(material, base_url=BASE_URL) if isinstance(block, Finding)
    ]
    return {name: one for name in CLAIMS for one in findings if one.claim.startswith(name)}


def test_one_seed_concludes_nothing(collect: Collect) -> None:
    findings = judge(collect(STUDY_LEVELS, seeds=1))

    assert [findings[name].words_of_standing for name in CLAIMS] == [
        "cannot conclude",
        "cannot be compared",
        "cannot conclude",
        "cannot conclude",
        "cannot be tested here",
        "the doubt remains",
    ]
    assert findings["Order"].words[0].endswith("this is the study's order.")
    assert all("fewer than 6 seeds" in sentence for sentence in findings["Order"].words[1:])


def test_enough_seeds_that_agree_support_order_and_stability(collect: Collect) -> None:
    findings = judge(collect(STUDY_LEVELS, seeds=9))

    assert findings["Order"].words_of_standing == "supported"
    assert findings["Group norm does not fluctuate"].words_of_standing == "supported"
    # However many seeds: the configurations differ in more than the normalization.
    doubt = findings["The effect could be due"]
    assert doubt.words_of_standing == "the doubt remains"
    assert doubt.words[0].startswith("6 of 6 pairs change something else")
    assert "batch + L1 + L2 and group + L1 differ in normalization and penalty." in doubt.words


def test_the_other_way_round_contradicts(collect: Collect) -> None:
    turned = dict(zip(STUDY_LEVELS, reversed(STUDY_LEVELS.values()), strict=True))
    unsteady = dict(zip(STEADY, reversed(STEADY.values()), strict=True))

    findings = judge(collect(turned, seeds=9, wobbles=unsteady))

    assert findings["Order"].words_of_standing == "contradicted"
    assert findings["Order"].words[0].endswith("this is not the study's order.")
    assert findings["Group norm does not fluctuate"].words_of_standing == "contradicted"


def test_alike_is_practically_the_same(collect: Collect) -> None:
    findings = judge(
        collect(dict.fromkeys(STUDY_LEVELS, 0.99), seeds=9, wobbles=dict.fromkeys(STEADY, 0.001))
    )

    assert findings["Order"].words_of_standing == "practically the same"
    assert findings["Group norm does not fluctuate"].words_of_standing == "not supported: no difference found"


def test_a_part_of_the_order(collect: Collect) -> None:
    findings = judge(collect({**STUDY_LEVELS, "batch": STUDY_LEVELS["group"]}, seeds=9))

    assert findings["Order"].words_of_standing == "supported in part"


@pytest.mark.parametrize(
    ("lead", "noise", "standing", "words"),
    [
        (0.0, 2e-4, "supported", "practically the same: the difference is within 0.53 points"),
        (0.003, 2e-4, "supported in part", "the difference is real and within the margin"),
        (0.006, 2e-3, "contradicted in part", "whether it is greater than the margin stays open"),
        (0.01, 2e-4, "contradicted", "the difference is greater than the margin"),
        (0.0, 1e-2, "cannot conclude", "What would settle it: about"),
    ],
)
def test_equally_well_takes_the_whole_interval_within_the_margin(
    collect: Collect, lead: float, noise: float, standing: str, words: str
) -> None:
    levels = {**STUDY_LEVELS, "group": 0.97 + lead, "batch": 0.97}

    finding = judge(collect(levels, seeds=9, noise=noise))["Batch and group"]

    assert finding.words_of_standing == standing
    assert words in " ".join(finding.words)
    assert "They differ in normalization and penalty" in finding.words[-1]


def test_what_the_penalties_do_cannot_be_told_where_all_have_one(collect: Collect) -> None:
    finding = judge(collect(STUDY_LEVELS, seeds=6))["The penalties"]

    assert finding.words_of_standing == "cannot be tested here"
    assert "batch + L1 + L2 +1.00 [+1.00, +1.00]" in finding.words[1]


def test_without_a_completed_run_of_each_there_is_nothing_to_say(collect: Collect) -> None:
    (finding,) = write_study_claims(collect(STUDY_LEVELS, seeds=1, leave_out=(0, 2)), base_url=BASE_URL)

    assert isinstance(finding, Finding)
    assert (finding.words_of_standing, finding.words) == (
        "no data yet",
        ["No completed run yet of batch and layer."],
    )


def judge_figures(material: Material, *, claim: str) -> tuple[Finding, Table]:
    """The finding on the claim and the table after it, as if the runs had been on MNIST for 25 epochs."""
    runs = [
        replace(run, config=replace(run.config, dataset="mnist", epochs=25))
        for run in material.experiment.runs
    ]
    experiment: ExperimentRecord = replace(material.experiment, dataset="mnist", runs=runs)
    blocks = write_study_claims(replace(material, experiment=experiment), base_url=BASE_URL)
    for finding, table in itertools.pairwise(blocks):
        if isinstance(finding, Finding) and finding.claim == claim:
            assert isinstance(table, Table)
            return finding, table
    raise AssertionError(claim)


class TestLevels:
    def judge(self, material: Material) -> tuple[Finding, Table]:
        return judge_figures(material, claim="Its accuracies")

    def test_agree_where_one_more_seed_would_lie(self, collect: Collect) -> None:
        finding, _ = self.judge(collect(STUDY_LEVELS, seeds=6))

        assert finding.words_of_standing == "agrees"

    def test_above_every_seed_is_said_to_be(self, collect: Collect) -> None:
        finding, table = self.judge(collect({**STUDY_LEVELS, "batch": 0.985, "layer": 0.995}, seeds=6))

        assert finding.words_of_standing == "agrees in part"
        assert "2 of 4 of the study's accuracies" in finding.words[0]
        assert [row[4] for row in table.rows][1:3] == ["above all of them", "below all of them"]


class TestMargins:
    def judge(self, material: Material) -> tuple[Finding, Table]:
        return judge_figures(material, claim="The margins between them")

    def test_agree_where_the_intervals_hold_them(self, collect: Collect) -> None:
        finding, table = self.judge(collect(STUDY_LEVELS, seeds=6))

        assert finding.words_of_standing == "agrees"
        assert [row[1] for row in table.rows] == ["+0.17", "+0.20", "+2.66"]

    def test_disagree_where_they_do_not(self, collect: Collect) -> None:
        finding, _ = self.judge(collect({**STUDY_LEVELS, "instance": 0.98}, seeds=6))

        assert finding.words_of_standing == "agrees in part"
        assert "2 of 3 margins" in finding.words[0]

    def test_hold_a_single_seed_against_single_seeds(self) -> None:
        """The study's margin is one seed's: of seeds like it 95 % lie inside, however many there are."""
        rng = np.random.default_rng(6)
        inside = [
            low <= draw[0] <= high
            for draw in rng.normal(0.01, 0.002, (1_000, 1 + 12))
            if (ends := make_lead(draw[1:]).single_seed_range) is not None
            for low, high in [ends]
        ]

        assert np.mean(inside) == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 1_000))

    def test_one_seed_cannot_conclude(self, collect: Collect) -> None:
        finding, _ = self.judge(collect(STUDY_LEVELS, seeds=1))

        assert finding.words_of_standing == "cannot conclude"


def make_lead(differences: np.typing.NDArray[np.float64]) -> Lead:
    found = describe_differences(differences)
    return Lead(
        first="group",
        second="batch",
        difference=found.difference,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        num_seeds=found.num_seeds,
        outcome="better",
        verdict="",
        reason=None,
        differing=(),
    )
