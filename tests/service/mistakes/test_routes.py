"""GET /experiments/{id}/misclassified and …/confusion, on two completed runs and a queued one."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from lab.datasets.load import Dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def answer(trained_client: TestClient) -> dict[str, Any]:
    response = trained_client.get("/experiments/1/misclassified?limit=500")
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


class TestAcrossRuns:
    def test_agrees_with_each_run_s_own_list(self, answer: dict[str, Any]) -> None:
        batch, instance = (
            {mistake["index"]: mistake["predicted"] for mistake in run["misclassified"]}
            for run in answer["runs"]
        )

        assert set(batch) & set(instance), "no image is misclassified by both, so this tests nothing"
        assert answer["missed_by_every_run"] == sorted(set(batch) & set(instance))
        assert answer["agreement"] == [
            360 - len(set(batch) | set(instance)),
            len(set(batch) ^ set(instance)),
            len(set(batch) & set(instance)),
        ]
        only = {one["normalization"]: one["by_all"] for one in answer["missed_only_by"]}
        assert only == {
            "batch": sorted(set(batch) - set(instance)),
            "instance": sorted(set(instance) - set(batch)),
        }
        said = {
            image["index"]: {a["run_id"]: a["predicted"] for a in image["answers"]}
            for image in answer["images"]
        }
        assert {index: runs[1] for index, runs in said.items() if 1 in runs} == batch
        assert {index: runs[2] for index, runs in said.items() if 2 in runs} == instance

    def test_shows_each_image_once_with_its_picture(self, answer: dict[str, Any], digits: Dataset) -> None:
        images = answer["images"]

        assert len({image["index"] for image in images}) == len(images) == answer["num_images"]
        assert answer["next_offset"] is None
        assert [image["num_missed"] for image in images] == sorted(
            (len(i["answers"]) for i in images), reverse=True
        )
        head, encoded = images[0]["image"].split(",")
        assert head == "data:image/png;base64"
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
        assert np.array_equal(picture, digits.test.images[images[0]["index"]].numpy())
        assert images[0]["true"] == int(digits.test.labels[images[0]["index"]])

    def test_pages(self, trained_client: TestClient, answer: dict[str, Any]) -> None:
        pages, offset = [], 0
        while offset is not None:
            page = trained_client.get(f"/experiments/1/misclassified?limit=7&offset={offset}").json()
            pages += [image["index"] for image in page["images"]]
            offset = page["next_offset"]

        assert pages == [image["index"] for image in answer["images"]]

    def test_filters(self, trained_client: TestClient, answer: dict[str, Any]) -> None:
        wanted = answer["images"][0]
        true, predicted = wanted["true"], wanted["answers"][0]["predicted"]

        found = trained_client.get(
            f"/experiments/1/misclassified?true={true}&predicted={predicted}&missed_by=every"
        ).json()

        assert wanted["index"] in [image["index"] for image in found["images"]]
        for image in found["images"]:
            assert (image["true"], image["num_missed"]) == (true, 2)
            assert predicted in [one["predicted"] for one in image["answers"]]
        assert found["runs"] == answer["runs"]

    def test_of_one_run_come_its_surest_mistakes_first(
        self, trained_client: TestClient, answer: dict[str, Any]
    ) -> None:
        found = trained_client.get("/experiments/1/misclassified?run_id=2&limit=500").json()

        own = [mistake["index"] for mistake in answer["runs"][1]["misclassified"]]
        assert [image["index"] for image in found["images"]] == own
        predicted = answer["runs"][1]["misclassified"][0]["predicted"]
        some = trained_client.get(f"/experiments/1/misclassified?run_id=2&predicted={predicted}").json()
        assert [image["index"] for image in some["images"]] == [
            mistake["index"]
            for mistake in answer["runs"][1]["misclassified"]
            if mistake["predicted"] == predicted
        ]

    @pytest.mark.parametrize("run_id", [3, 99])
    def test_of_a_run_that_is_not_there_say_which_are(self, trained_client: TestClient, run_id: int) -> None:
        response = trained_client.get(f"/experiments/1/misclassified?run_id={run_id}")

        assert response.status_code == 404
        assert "the completed ones are: 1, 2" in response.json()["detail"]

    def test_of_nothing_finished_is_empty(self, client: TestClient) -> None:
        client.post("/experiments")

        empty = client.get("/experiments/1/misclassified").json()

        assert (empty["num_runs"], empty["images"], empty["missed_only_by"]) == (0, [], [])
        assert empty["agreement"] == [360]
        assert empty["unfinished_run_ids"] == [1, 2, 3, 4]

    @pytest.mark.parametrize(
        "query", ["true=10", "predicted=-1", "missed_by=spectral", "limit=501", "offset=-1"]
    )
    def test_refuses_what_cannot_be(self, trained_client: TestClient, query: str) -> None:
        response = trained_client.get(f"/experiments/1/misclassified?{query}")

        assert response.status_code == 422
        assert query.split("=")[0] in response.json()["detail"]


class TestImage:
    def test_has_the_ten_probabilities_of_every_completed_run(
        self, trained_client: TestClient, digits: Dataset
    ) -> None:
        found = trained_client.get("/experiments/1/images/359").json()

        assert (found["index"], found["true"]) == (359, int(digits.test.labels[359]))
        encoded = found["image"].split(",")[1]
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
        assert np.array_equal(picture, digits.test.images[359].numpy())
        assert [run["run_id"] for run in found["runs"]] == [1, 2]
        results = trained_client.get("/experiments/1/results").json()["runs"]
        temperatures = {row["run_id"]: row["temperature"] for row in results}
        for run in found["runs"]:
            body = {"pixels": picture.tolist(), "run_id": run["run_id"]}
            read = trained_client.post("/predict", json=body).json()
            # Predictions are calibrated, stored answers are the network's own.
            calibrated = np.array(run["probabilities"]) ** (1 / temperatures[run["run_id"]])
            assert calibrated / calibrated.sum() == pytest.approx(read["probabilities"], abs=1e-4)
            assert run["predicted"] == read["digit"]
            assert run["confidence"] == max(run["probabilities"])

    def test_that_is_not_there_says_which_are(self, trained_client: TestClient) -> None:
        response = trained_client.get("/experiments/1/images/360")

        assert response.status_code == 404
        assert "images 0 to 359" in response.json()["detail"]


@pytest.mark.parametrize("query", ["", "?by=run", "?missed_by=every", "?true=1&predicted=1"])
def test_sheets_are_pictures(trained_client: TestClient, query: str) -> None:
    response = trained_client.get(f"/experiments/1/misclassified.png{query}")

    assert response.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).width > 1000


class TestConfusion:
    def test_of_a_run_counts_its_mistakes(self, trained_client: TestClient, digits: Dataset) -> None:
        found = trained_client.get("/runs/2/confusion").json()

        matrix = np.array(found["matrix"])
        assert matrix.sum(axis=1).tolist() == np.bincount(digits.test.labels.numpy(), minlength=10).tolist()
        mistakes = trained_client.get("/runs/2/misclassified").json()["misclassified"]
        for mistake in mistakes:
            matrix[mistake["true"], mistake["predicted"]] -= 1
        assert np.array_equal(matrix, np.diag(np.diag(matrix)))
        assert found["num_misclassified"] == len(mistakes)
        most = found["most_confused"][0]
        assert found["matrix"][most["true"]][most["predicted"]] == most["count"] > 0

    def test_is_given_for_each_configuration(self, trained_client: TestClient) -> None:
        found = trained_client.get("/experiments/1/confusion").json()

        assert [one["run_ids"] for one in found["configurations"]] == [[1], [2]]
        assert (
            found["configurations"][1]["matrix"] == trained_client.get("/runs/2/confusion").json()["matrix"]
        )
        assert found["unfinished_run_ids"] == [3]

    @pytest.mark.parametrize("path", ["/runs/1/confusion.png", "/experiments/1/confusion.png"])
    def test_is_drawn(self, trained_client: TestClient, path: str) -> None:
        response = trained_client.get(path)

        assert Image.open(io.BytesIO(response.content)).format == "PNG"

    @pytest.mark.parametrize("path", ["/runs/3/confusion", "/runs/3/confusion.png"])
    def test_is_refused_before_the_end(self, trained_client: TestClient, path: str) -> None:
        response = trained_client.get(path)

        assert (response.status_code, response.json()["error"]) == (409, "run_not_finished")

    def test_of_nothing_finished_is_empty(self, client: TestClient) -> None:
        client.post("/experiments")

        assert client.get("/experiments/1/confusion").json()["configurations"] == []
        assert client.get("/experiments/1/confusion.png").status_code == 409
