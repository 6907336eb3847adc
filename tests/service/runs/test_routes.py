"""GET /runs/{id}…: the run, its network, its mistakes, its weights."""

import hashlib
import io
from math import ceil

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image
from safetensors.torch import load

from lab.datasets.load import Dataset
from lab.datasets.pixels import normalize_pixels
from lab.experiments.configs import RunConfig
from lab.networks.build import build_network

pytestmark = pytest.mark.slow


class TestArchitecture:
    def test_lists_the_layers(self, trained_client: TestClient) -> None:
        answer = trained_client.get("/runs/3/architecture").json()

        assert (answer["parameters"], answer["multiply_adds"]) == (64_772, 1_534_452)
        first_block = [(layer["type"], layer["output_shape"]) for layer in answer["layers"][:4]]
        assert first_block == [
            ("Conv2d", [16, 26, 26]),
            ("LayerNorm", [16, 26, 26]),
            ("ReLU", [16, 26, 26]),
            ("Dropout", [16, 26, 26]),
        ]
        assert answer["layers"][-1]["type"] == "LogSoftmax"

    def test_is_drawn(self, trained_client: TestClient) -> None:
        response = trained_client.get("/runs/3/architecture.png")

        assert Image.open(io.BytesIO(response.content)).format == "PNG"


class TestLayerStatistics:
    def test_are_those_of_the_first_epoch_by_step_and_layer(
        self, trained_client: TestClient, digits: Dataset
    ) -> None:
        answer = trained_client.get("/runs/2/layer-statistics").json()

        assert (answer["run_id"], answer["num_images"], answer["missing"]) == (2, 64, None)
        places = [(one["step"], one["layer"]) for one in answer["statistics"]]
        recipe = trained_client.get("/runs/2").json()["recipe"]
        num_steps = ceil((len(digits.train) - recipe["validation_size"]) / recipe["batch_size"])
        assert places == [(step, layer) for step in (0, 1, 4, 16, num_steps) for layer in range(1, 12)]
        first = answer["statistics"][0]
        # Its weights are the same whatever the normalization.
        other = trained_client.get("/runs/1/layer-statistics").json()["statistics"][0]
        assert first["activation_variance"] == other["activation_variance"] > 0
        assert first["gradient_norm"] != other["gradient_norm"]

    def test_of_a_run_without_them_a_sentence_says_why(self, trained_client: TestClient) -> None:
        response = trained_client.get("/runs/3/layer-statistics")

        assert response.status_code == 200
        assert response.json()["statistics"] == []
        assert "Run 3 has no layer statistics" in response.json()["missing"]


class TestMisclassified:
    def test_lists_exactly_the_mistakes_the_most_confident_first(
        self, trained_client: TestClient, digits: Dataset
    ) -> None:
        answer = trained_client.get("/runs/2/misclassified").json()

        mistakes = answer["misclassified"]
        final_accuracy = trained_client.get("/runs/2").json()["test_accuracy"]
        assert len(mistakes) == answer["num_misclassified"] == round((1 - final_accuracy) * 360)
        assert len(mistakes) > 0
        confidences = [mistake["confidence"] for mistake in mistakes]
        assert confidences == sorted(confidences, reverse=True)
        for mistake in mistakes:
            assert mistake["true"] == int(digits.test.labels[mistake["index"]])
            assert mistake["predicted"] != mistake["true"]

    def test_groups_an_experiment_s_mistakes_by_run(self, trained_client: TestClient) -> None:
        answer = trained_client.get("/experiments/1/misclassified").json()

        assert [run["run_id"] for run in answer["runs"]] == [1, 2]
        assert answer["unfinished_run_ids"] == [3]
        alone = trained_client.get("/runs/1/misclassified").json()
        assert answer["runs"][0] == alone

    @pytest.mark.parametrize("path", ["/runs/1/misclassified.png", "/experiments/1/misclassified.png"])
    def test_is_drawn_as_a_sheet(self, trained_client: TestClient, path: str) -> None:
        response = trained_client.get(path)

        assert Image.open(io.BytesIO(response.content)).format == "PNG"

    @pytest.mark.parametrize("path", ["misclassified", "misclassified.png", "weights"])
    def test_is_refused_before_the_end(self, trained_client: TestClient, path: str) -> None:
        response = trained_client.get(f"/runs/3/{path}")

        assert response.status_code == 409
        assert response.json()["error"] == "run_not_finished"
        assert "queued" in response.json()["detail"]

    def test_no_sheet_of_an_experiment_before_a_run_ends(self, client: TestClient) -> None:
        client.post("/experiments")

        assert client.get("/experiments/1/misclassified.png").status_code == 409
        assert client.get("/experiments/1/misclassified").json()["runs"] == []


class TestWeights:
    def test_are_the_trained_network_and_nothing_else(
        self, trained_client: TestClient, digits: Dataset
    ) -> None:
        response = trained_client.get("/runs/1/weights")

        tensors = load(response.content)
        network = build_network(RunConfig(dataset="digits", normalization="batch", validation_size=1))
        network.load_state_dict(tensors)
        with torch.no_grad():
            answers = network.eval()(normalize_pixels(digits.test.images.float() / 255))
        accuracy = (answers.argmax(dim=1) == digits.test.labels).double().mean().item()
        assert accuracy == trained_client.get("/runs/1").json()["test_accuracy"]
        assert response.headers["etag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'
        header_size = int.from_bytes(response.content[:8], "little")
        assert b"__metadata__" not in response.content[8 : 8 + header_size]
        assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
