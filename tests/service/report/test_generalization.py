"""Gaps between training and test accuracy, with and without penalties."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.database.tables import EpochMetric, Run
from lab.experiments.configs import RunConfig
from service.report.blocks import Finding, Table
from service.report.data import collect_material
from service.report.sections.generalization import write_generalization
from tests.service.finished_runs import finish_runs, submit

Gap = Callable[[RunConfig], float]
GRID = {"normalization": ["batch", "group"], "penalty": ["none", "l1", "l2"]}


def judge_gaps(client: TestClient, app: FastAPI, gap: Gap, **body: Any) -> list[Any]:
    """The blocks for runs with these gaps and test accuracies that do not depend on the penalty."""
    experiment_id = submit(client, **body)
    finish_runs(app, experiment_id, lambda config: [0.9 + 0.001 * config.seed])
    with app.state.resources.database.transaction() as session:
        query = sa.select(EpochMetric, Run).join(Run).where(Run.experiment_id == experiment_id)
        for metric, run in session.execute(query):
            metric.train_accuracy = metric.test_accuracy + gap(RunConfig.from_json(run.config))
    with app.state.resources.database.transaction() as session:
        material = collect_material(session, app.state.test_images, experiment_id)
    assert material.comparison is not None
    return list(write_generalization(material, material.comparison))


def vary(config: RunConfig) -> float:
    return float(np.random.default_rng([config.seed, len(config.label)]).normal(0, 1e-3))


@pytest.mark.parametrize(
    ("of_l1", "of_l2", "standing"),
    [
        (0.01, 0.02, "supported"),
        (0.01, 0.03, "supported in part"),
        (0.05, 0.06, "contradicted"),
        (0.03, 0.03, "practically the same"),
    ],
)
def test_the_averages_over_pairs_decide(
    client: TestClient, app: FastAPI, of_l1: float, of_l2: float, standing: str
) -> None:
    levels = {"none": 0.03, "l1": of_l1, "l2": of_l2}

    finding, table = judge_gaps(
        client, app, lambda config: levels[config.penalty] + vary(config), grid=GRID, seeds=7
    )

    assert isinstance(finding, Finding)
    assert finding.words_of_standing == standing
    assert [words.split(":")[0] for words in finding.words[1:3]] == [
        "Penalty l1, averaged over 2 pairs",
        "Penalty l2, averaged over 2 pairs",
    ]
    assert "test accuracy is found higher in 0, lower in 0 and practically the same in 4" in finding.words[0]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == [
        "batch + L1 against batch",
        "batch + L2 against batch",
        "group + L1 against group",
        "group + L2 against group",
    ]
    assert float(table.rows[1][1]) == pytest.approx(100 * of_l2, abs=0.2)
    assert float(table.rows[1][2]) == pytest.approx(3, abs=0.2)


def test_a_penalty_of_one_pair_counts_beside_those_of_several(client: TestClient, app: FastAPI) -> None:
    configs = [{"normalization": name, **each} for name in ("batch", "group") for each in ({}, {"l1": 1e-3})]

    finding, _ = judge_gaps(
        client,
        app,
        lambda config: 0.03 - 10 * config.l1 + 10 * config.l2 + vary(config),
        configs=[*configs, {"l2": 1e-3}],
        seeds=7,
    )

    assert finding.words_of_standing == "contradicted in part"
    assert [words.split(":")[0] for words in finding.words[1:3]] == [
        "Penalty l1 0.001, averaged over 2 pairs",
        "batch + L2 against batch",
    ]


def test_a_single_pair_decides_by_itself(client: TestClient, app: FastAPI) -> None:
    finding, table = judge_gaps(
        client,
        app,
        lambda config: 0.03 - 10 * config.l2 + vary(config),
        configs=[{"l2": 1e-3}, {}],
        seeds=7,
    )

    assert finding.words_of_standing == "supported"
    assert finding.words[1].startswith("batch + L2 against batch: lower by +1.")
    assert "the gap is lower with it than without by 1." in finding.words[1]
    assert [row[4] for row in table.rows] == ["lower"]


def test_too_few_seeds_conclude_nothing(client: TestClient, app: FastAPI) -> None:
    finding, _ = judge_gaps(client, app, lambda config: config.l2, configs=[{"l2": 1e-3}, {}], seeds=2)

    assert finding.words_of_standing == "cannot conclude"


def test_nothing_is_said_without_a_pair_that_differs_in_the_penalty_alone(
    client: TestClient, app: FastAPI
) -> None:
    configs = [{"l2": 1e-3}, {"l1": 1e-3}, {"normalization": "group"}]

    assert judge_gaps(client, app, vary, configs=configs) == []
