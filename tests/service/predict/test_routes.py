"""POST /predict and /predict/saliency: every way to send a picture, who answers and why, what is refused."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi import FastAPI
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from lab.datasets.load import Dataset, load_dataset
from lab.datasets.pixels import normalize_pixels
from lab.runs.records import read_run, read_weights
from service.predict.explanations import compute_saliency
from service.predict.predictor import load_network

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seven(digits: Dataset) -> NDArray[np.uint8]:
    """A 7 from the training images, which every trained run has seen."""
    index = int((digits.train.labels == 7).nonzero()[0])
    pixels: NDArray[np.uint8] = digits.train.images[index].numpy()
    return pixels


def encode(pixels: NDArray[np.uint8], image_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format)
    return buffer.getvalue()


def send_file(client: TestClient, data: bytes, **fields: Any) -> Any:
    return client.post("/predict", files={"file": ("digit.png", data)}, data=fields)


class TestRead:
    def test_answers_with_probabilities_and_what_the_network_saw(
        self, trained_client: TestClient, seven: NDArray[np.uint8]
    ) -> None:
        response = send_file(trained_client, encode(seven))

        assert response.status_code == 200, response.text
        answer = response.json()
        assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert len(answer["probabilities"]) == 10
        assert answer["digit"] == max(range(10), key=answer["probabilities"].__getitem__)
        assert answer["confidence"] == max(answer["probabilities"])
        assert [model["run_id"] for model in answer["models"]] == [1]
        seen = answer["preprocessing"]["image"].removeprefix("data:image/png;base64,")
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(seen)))), seven)
        assert any("embedded digits" in warning for warning in answer["warnings"])

    def test_reads_training_images_right(self, trained_client: TestClient, digits: Dataset) -> None:
        right = 0
        for index in range(0, 100, 5):
            pixels = digits.train.images[index].tolist()
            answer = trained_client.post("/predict", json={"pixels": pixels}).json()
            right += answer["digit"] == int(digits.train.labels[index])

        assert right >= 16

    def test_every_form_gives_the_same_answer(
        self, trained_client: TestClient, seven: NDArray[np.uint8]
    ) -> None:
        png = encode(seven)
        encoded = base64.b64encode(png).decode()
        answers = [
            send_file(trained_client, png).json(),
            send_file(trained_client, encode(seven, "BMP")).json(),
            trained_client.post("/predict", json={"image": encoded}).json(),
            trained_client.post("/predict", json={"image": f"data:image/png;base64,{encoded}"}).json(),
            trained_client.post("/predict", json={"pixels": seven.tolist()}).json(),
            trained_client.post("/predict", json={"pixels": (seven / 255).tolist()}).json(),
            trained_client.post("/predict", content=png, headers={"content-type": "image/png"}).json(),
        ]

        for answer in answers[1:]:
            assert answer["probabilities"] == pytest.approx(answers[0]["probabilities"], abs=1e-5)

    def test_reads_dark_ink_on_light_paper(
        self, trained_client: TestClient, seven: NDArray[np.uint8]
    ) -> None:
        light = send_file(trained_client, encode(seven)).json()
        dark = send_file(trained_client, encode(255 - seven)).json()

        assert dark["probabilities"] == pytest.approx(light["probabilities"], abs=1e-5)
        assert any("inverted" in step for step in dark["preprocessing"]["steps"])

    def test_networks_of_the_embedded_digits_see_a_drawing_as_coarse_as_those(
        self, trained_client: TestClient, mnist_dir: Path
    ) -> None:
        drawn = load_dataset("mnist", data_dir=mnist_dir).test
        right = {"drawn": 0, "as it is": 0}
        for picture, label in zip(drawn.images[:120].numpy(), drawn.labels[:120].tolist(), strict=True):
            enlarged = np.asarray(Image.fromarray(picture).resize((112, 112), Image.Resampling.BICUBIC))
            answer = send_file(trained_client, encode(enlarged)).json()
            right["drawn"] += answer["digit"] == label
            assert any("coarse" in step for step in answer["preprocessing"]["steps"])
            answer = trained_client.post("/predict", json={"pixels": picture.tolist()}).json()
            right["as it is"] += answer["digit"] == label

        assert right["drawn"] > right["as it is"] + 6

    def test_asks_the_run_named(self, trained_client: TestClient, seven: NDArray[np.uint8]) -> None:
        answer = send_file(trained_client, encode(seven), run_id=2).json()

        assert [model["run_id"] for model in answer["models"]] == [2]

    def test_asks_every_run_of_an_experiment_the_best_first(
        self, trained_client: TestClient, seven: NDArray[np.uint8]
    ) -> None:
        answer = send_file(trained_client, encode(seven), experiment_id=1).json()

        runs = trained_client.get("/experiments/1").json()["runs"]
        accuracies = {run["id"]: run["validation_accuracy"] for run in runs if run["status"] == "completed"}
        ranked = sorted(accuracies, key=lambda run_id: accuracies[run_id], reverse=True)
        assert [model["run_id"] for model in answer["models"]] == ranked
        assert answer["digit"] == answer["models"][0]["digit"]

    def test_asks_the_runs_of_a_normalization(
        self, trained_client: TestClient, seven: NDArray[np.uint8]
    ) -> None:
        answer = send_file(trained_client, encode(seven), normalization="instance").json()

        assert [model["run_id"] for model in answer["models"]] == [2]

    def test_asks_the_best_run_of_each_configuration(
        self, client: TestClient, train: Callable[[int], None], seven: NDArray[np.uint8]
    ) -> None:
        body = {"configs": [{"normalization": "none"}], "seeds": 2, "epochs": 1, "batch_size": 1024}
        assert client.post("/experiments", json=body).status_code == 202
        train(1)
        train(2)

        every = send_file(client, encode(seven), experiment_id=1).json()["models"]
        best = send_file(client, encode(seven), best_per_configuration=True).json()["models"]

        assert len(every) == 2
        assert best == every[:1]


class TestRefuse:
    def test_says_so_when_nothing_is_trained(self, client: TestClient, seven: NDArray[np.uint8]) -> None:
        response = send_file(client, encode(seven))

        assert response.status_code == 409
        assert response.json()["error"] == "no_trained_model"

    @pytest.mark.parametrize(
        ("fields", "status", "code"),
        [
            ({"run_id": 3}, 409, "run_not_finished"),
            ({"run_id": 99}, 404, "not_found"),
            ({"experiment_id": 99}, 404, "not_found"),
            ({"normalization": "group"}, 409, "no_trained_model"),
            ({"normalization": "spectral"}, 422, "invalid_request"),
            ({"run_id": "first"}, 422, "invalid_request"),
            ({"run": 1}, 422, "invalid_request"),
        ],
    )
    def test_runs_that_cannot_answer(
        self,
        trained_client: TestClient,
        seven: NDArray[np.uint8],
        fields: dict[str, Any],
        status: int,
        code: str,
    ) -> None:
        response = send_file(trained_client, encode(seven), **fields)

        assert (response.status_code, response.json()["error"]) == (status, code)

    @pytest.mark.parametrize(
        ("data", "status", "code"),
        [
            (b"", 422, "invalid_image"),
            (b"three", 422, "invalid_image"),
            (b"\x89PNG\r\n\x1a\n broken", 422, "invalid_image"),
            (encode(np.zeros((50, 50), np.uint8)), 422, "invalid_image"),
            (encode(np.zeros((10_000, 10_000), np.uint8)), 413, "too_large"),
        ],
        ids=["empty", "text", "broken", "blank", "100 megapixels"],
    )
    def test_files_that_are_no_digit(
        self, trained_client: TestClient, data: bytes, status: int, code: str
    ) -> None:
        response = send_file(trained_client, data)

        assert (response.status_code, response.json()["error"]) == (status, code)
        assert set(response.json()) == {"error", "detail"}

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"image": "***"},
            {"image": "", "pixels": []},
            {"pixels": [[0] * 28] * 27},
            {"pixels": [[0] * 28] * 28},
            {"pixels": [[300] * 28] * 28},
            {"pixels": [["x"] * 28] * 28},
            {"pixels": "7"},
        ],
    )
    def test_bodies_without_a_picture(self, trained_client: TestClient, body: dict[str, Any]) -> None:
        response = trained_client.post("/predict", json=body)

        assert (response.status_code, response.json()["error"]) == (422, "invalid_image")

    def test_forms_without_a_file(self, trained_client: TestClient) -> None:
        response = trained_client.post("/predict", files={"picture": ("digit.png", b"x")})

        assert response.status_code == 422
        assert set(response.json()) == {"error", "detail"}


NUM_COVERED = 20
"""Pixels painted black: about a fifth of a digit's ink."""


@pytest.fixture(scope="module")
def network(trained_client: TestClient) -> nn.Module:
    """Run 1's trained network."""
    app: FastAPI = trained_client.app  # type: ignore[assignment]
    with app.state.resources.database.transaction() as session:
        run = read_run(session, 1)
        return load_network(run.config, read_weights(session, run))


@pytest.fixture(scope="module")
def read(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Log-probabilities (10,) of a picture (28, 28)."""

    def read_picture(picture: Tensor) -> Tensor:
        with torch.inference_mode():
            answer: Tensor = network(normalize_pixels(picture.unsqueeze(0)))[0]
        return answer

    return read_picture


class TestSaliency:
    def test_covering_what_counts_costs_more_confidence_than_covering_as_much_ink(
        self, network: nn.Module, read: Callable[[Tensor], Tensor], digits: Dataset
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        lost: dict[str, float] = {"salient": 0.0, "random": 0.0}
        for picture in digits.test.images[:200:10].float() / 255:
            answer = read(picture)
            digit = int(answer.argmax())
            saliency = compute_saliency(network, picture, digit=digit)
            ink = torch.nonzero(picture.flatten()).squeeze(1)
            covered = {
                "salient": saliency.flatten().argsort(descending=True)[:NUM_COVERED],
                "random": ink[torch.randperm(len(ink), generator=generator)[:NUM_COVERED]],
            }
            for name, places in covered.items():
                rest = picture.flatten().index_fill(0, places, 0.0).view(28, 28)
                lost[name] += float(answer[digit].exp() - read(rest)[digit].exp()) / 20

        assert lost["salient"] > 0.3
        assert lost["salient"] > 3 * lost["random"]

    def test_the_shares_add_up_to_what_the_ink_changes(
        self, network: nn.Module, read: Callable[[Tensor], Tensor], digits: Dataset
    ) -> None:
        picture = digits.test.images[5].float() / 255
        digit = int(read(picture).argmax())

        total = compute_saliency(network, picture, digit=digit).sum()

        difference = read(picture)[digit] - read(torch.zeros(28, 28))[digit]
        assert float(total) == pytest.approx(float(difference), rel=0.1)

    def test_black_pixels_have_no_share(self, network: nn.Module, digits: Dataset) -> None:
        picture = digits.test.images[0].float() / 255

        saliency = compute_saliency(network, picture, digit=0)

        assert saliency.shape == (28, 28)
        assert not saliency[picture == 0].any()
        assert saliency[picture > 0].any()


class TestExplain:
    def ask(self, client: TestClient, digits: Dataset, **fields: Any) -> Any:
        return client.post("/predict/saliency", json={"pixels": digits.test.images[0].tolist(), **fields})

    def test_explains_what_predict_reads(self, trained_client: TestClient, digits: Dataset) -> None:
        explained = self.ask(trained_client, digits, run_id=2).json()
        body = {"pixels": digits.test.images[0].tolist(), "run_id": 2}
        read = trained_client.post("/predict", json=body).json()

        assert {name: explained[name] for name in read["models"][0]} == read["models"][0]
        assert explained["preprocessing"] == read["preprocessing"]
        saliency = torch.tensor(explained["saliency"])
        assert saliency.shape == (28, 28)
        assert not saliency[digits.test.images[0] == 0].any()

    def test_asks_the_best_run_when_none_is_named(self, trained_client: TestClient, digits: Dataset) -> None:
        assert self.ask(trained_client, digits).json()["run_id"] == 1

    @pytest.mark.parametrize(
        ("fields", "status", "code"),
        [
            ({"run_id": 3}, 409, "run_not_finished"),
            ({"run_id": 99}, 404, "not_found"),
            ({"pixels": [[0] * 28] * 28}, 422, "invalid_image"),
            ({"digit": 7}, 422, "invalid_request"),
        ],
    )
    def test_refuses_as_predict_does(
        self, trained_client: TestClient, digits: Dataset, fields: dict[str, Any], status: int, code: str
    ) -> None:
        response = self.ask(trained_client, digits, **fields)

        assert (response.status_code, response.json()["error"]) == (status, code)


def test_networks_of_other_things_answer_only_when_named(
    client: TestClient,
    train: Callable[[int], None],
    seven: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lab.datasets.load import DATASETS, DatasetInfo

    client.post("/experiments", json={"configs": [{}], "epochs": 1, "batch_size": 512})
    train(1)
    words = DatasetInfo(
        name="digits", title="Words", train_size=1_437, test_size=360, class_names=tuple("abcdefghij")
    )
    monkeypatch.setitem(DATASETS, "digits", words)

    unnamed = send_file(client, encode(seven))
    named = send_file(client, encode(seven), run_id=1).json()

    assert unnamed.status_code == 409
    assert named["class_name"] == "abcdefghij"[named["digit"]]
    assert any("not a digit" in warning for warning in named["warnings"])
