"""Misclassified images against the others of their class, in the report."""

from dataclasses import replace

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from service.mistakes.answers import Answers
from service.mistakes.legibility import measure_legibility
from service.report.blocks import Finding, Table
from service.report.data import Material, collect_material
from service.report.sections.legibility import judge_legibility
from tests.service.finished_runs import finish_runs, submit

Values = NDArray[np.float64]


@pytest.fixture
def material(client: TestClient, app: FastAPI) -> Material:
    """Four runs on the digits."""
    experiment_id = submit(client, configs=[{}], seeds=4)
    finish_runs(app, experiment_id, lambda _config: [1.0])
    with app.state.resources.database.transaction() as session:
        return collect_material(session, app.state.test_images, experiment_id)


def miss(material: Material, chosen: NDArray[np.bool_], *, num_runs: int = 3) -> Answers:
    """Answers of four runs, of which the first few misclassify the chosen images and nothing else."""
    assert material.answers is not None
    answers = material.answers
    predicted = np.tile(answers.labels, (4, 1)).astype(np.uint8)
    predicted[:num_runs, chosen] = (answers.labels[chosen] + 1) % 10
    return replace(answers, predicted=predicted)


def judge(material: Material, answers: Answers) -> tuple[Finding, Table | None]:
    finding, *tables = judge_legibility(material, answers)
    assert isinstance(finding, Finding)
    return finding, tables[0] if tables and isinstance(tables[0], Table) else None


def choose_lowest(values: Values, classes: NDArray[np.int64], number: int = 4) -> NDArray[np.bool_]:
    """In each class the images with the lowest values."""
    chosen = np.zeros(len(values), dtype=bool)
    for one in np.unique(classes):
        own = np.flatnonzero(classes == one)
        chosen[own[np.argsort(values[own])[:number]]] = True
    return chosen


def test_the_least_sharp_support_the_claim_in_part(material: Material) -> None:
    assert material.answers is not None
    measured = measure_legibility(material.answers.images)
    chosen = choose_lowest(measured.sharpness, material.answers.labels)

    finding, table = judge(material, miss(material, chosen))

    assert finding.words_of_standing == "supported in part"
    assert finding.words[0].startswith("Of 360 test images, 40 are misclassified by more than half of the 4")
    assert finding.words[1].startswith("As claimed, such an image, on average, has less ink than ")
    assert "and is less sharp than 100.0 % [" in finding.words[1]
    assert table is not None
    assert [row[0] for row in table.rows] == ["ink", "pieces", "sharpness", "stroke width"]
    assert table.rows[2][3].startswith("0.0 % [0.0, ")
    assert table.rows[2][-1] == "less"


def test_the_sharpest_contradict_it(material: Material) -> None:
    assert material.answers is not None
    measured = measure_legibility(material.answers.images)
    chosen = choose_lowest(-measured.sharpness, material.answers.labels)

    finding, _ = judge(material, miss(material, chosen))

    assert "contradicted" in finding.words_of_standing
    assert any(
        words.startswith("Contrary to the claim") and "is sharper than" in words for words in finding.words
    )


def test_images_drawn_at_random_show_no_difference(material: Material) -> None:
    generator = np.random.default_rng(0)
    assert material.answers is not None
    chosen = choose_lowest(generator.random(360), material.answers.labels)

    finding, _ = judge(material, miss(material, chosen))

    assert finding.words_of_standing == "not supported: no difference found"
    assert finding.words[1].startswith("No difference was found in ink, higher than ")


def test_what_half_of_the_runs_misclassify_does_not_count(material: Material) -> None:
    chosen = np.arange(360) < 40

    finding, table = judge(material, miss(material, chosen, num_runs=2))

    assert (finding.words_of_standing, table) == ("cannot conclude", None)
    assert finding.words[0].startswith("Of 360 test images, 0 are misclassified")


def test_few_images_conclude_nothing(material: Material) -> None:
    finding, table = judge(material, miss(material, np.arange(360) < 9))

    assert finding.words_of_standing == "cannot conclude"
    assert table is not None
    assert {row[-1] for row in table.rows} == {"–"}


def test_what_has_no_others_of_its_class_is_counted_apart(material: Material) -> None:
    assert material.answers is not None
    labels = material.answers.labels
    chosen = (labels == 3) | choose_lowest(np.arange(360.0), labels, 2)

    finding, _ = judge(material, miss(material, chosen))

    assert "; 18 of them have 5 others of their class" in finding.words[0]
