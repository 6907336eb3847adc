"""POST /predict: every envelope a picture comes in, one or many, and what is said of broken ones."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from lab.datasets.load import Dataset
from tests.pictures.hand import encode

pytestmark = pytest.mark.slow

Answer = dict[str, Any]


@pytest.fixture(scope="module")
def pixels(digits: Dataset) -> np.ndarray:
    """A digit as (28, 28) uint8."""
    image: np.ndarray = digits.train.images[3].numpy()
    return image


@pytest.fixture(scope="module")
def png(pixels: np.ndarray) -> bytes:
    """The digit as a file."""
    return encode(pixels)


@pytest.fixture(scope="module")
def expected(trained_client: TestClient, png: bytes) -> list[float]:
    """The probabilities of the digit sent as one file."""
    answer: Answer = trained_client.post("/predict", files={"file": ("digit.png", png)}).json()
    probabilities: list[float] = answer["probabilities"]
    return probabilities


def post_json(client: TestClient, body: Any) -> Answer:
    response = client.post("/predict", json=body)
    assert response.status_code == 200, response.text
    answer: Answer = response.json()
    return answer


class TestOne:
    @pytest.mark.parametrize("shape", [(28, 28), (784,), (28, 28, 1), (1, 28, 28), (1, 784)])
    def test_pixels_of_every_shape(
        self, trained_client: TestClient, pixels: np.ndarray, expected: list[float], shape: tuple[int, ...]
    ) -> None:
        answer = post_json(trained_client, {"pixels": pixels.reshape(shape).tolist()})

        assert answer["probabilities"] == pytest.approx(expected, abs=1e-5)

    @pytest.mark.parametrize(
        "media_type",
        ["image/png", "IMAGE/PNG", "application/octet-stream", "text/plain", "application/json", "x/y", ""],
    )
    def test_bare_bytes_whatever_their_type_says(
        self, trained_client: TestClient, png: bytes, expected: list[float], media_type: str
    ) -> None:
        response = trained_client.post("/predict", content=png, headers={"content-type": media_type})

        assert response.json()["probabilities"] == pytest.approx(expected, abs=1e-5)

    @pytest.mark.parametrize("write", ["plain", "urlsafe", "unpadded", "DATA:", "lines", "quoted"])
    def test_base64_of_every_kind(
        self, trained_client: TestClient, png: bytes, expected: list[float], write: str
    ) -> None:
        text = base64.b64encode(png).decode()
        written = {
            "plain": text,
            "urlsafe": base64.urlsafe_b64encode(png).decode(),
            "unpadded": text.rstrip("="),
            "DATA:": f"DATA:image/png;BASE64,{text}",
            "lines": "\n".join(text[place : place + 76] for place in range(0, len(text), 76)),
            "quoted": "data:image/png;base64," + text.replace("+", "%2B").replace("/", "%2F"),
        }[write]

        assert post_json(trained_client, {"image": written})["probabilities"] == pytest.approx(
            expected, abs=1e-5
        )

    def test_json_after_a_byte_order_mark(
        self, trained_client: TestClient, pixels: np.ndarray, expected: list[float]
    ) -> None:
        body = b"\xef\xbb\xbf" + json.dumps({"pixels": pixels.tolist()}).encode()
        response = trained_client.post("/predict", content=body, headers={"content-type": "Application/JSON"})

        assert response.json()["probabilities"] == pytest.approx(expected, abs=1e-5)

    def test_form_type_in_capitals(
        self, trained_client: TestClient, png: bytes, expected: list[float]
    ) -> None:
        request = trained_client.build_request("POST", "/predict", files={"file": ("digit.png", png)})
        content_type = request.headers["content-type"].replace("multipart/form-data", "Multipart/Form-Data")
        response = trained_client.post(
            "/predict", content=request.read(), headers={"content-type": content_type}
        )

        assert response.json()["probabilities"] == pytest.approx(expected, abs=1e-5)

    def test_options_of_a_form_may_stand_in_the_address(self, trained_client: TestClient, png: bytes) -> None:
        response = trained_client.post("/predict?run_id=2&top_k=1", files={"file": ("digit.png", png)})

        assert [model["run_id"] for model in response.json()["models"]] == [2]
        assert len(response.json()["top"]) == 1


class TestBatch:
    def test_several_files_are_answered_each(
        self, trained_client: TestClient, png: bytes, expected: list[float]
    ) -> None:
        files = [("file", ("a.png", png)), ("file", ("b.png", b"broken")), ("file", ("c.png", png))]
        results = trained_client.post("/predict", files=files).json()["results"]

        assert [result.get("error") for result in results] == [None, "invalid_image", None]
        assert "not a picture" in results[1]["detail"]
        assert results[2]["probabilities"] == pytest.approx(expected, abs=1e-5)

    def test_images_in_json(self, trained_client: TestClient, png: bytes, expected: list[float]) -> None:
        encoded = base64.b64encode(png).decode()
        results = post_json(trained_client, {"images": [encoded, "***"]})["results"]

        assert results[0]["probabilities"] == pytest.approx(expected, abs=1e-5)
        assert results[1]["error"] == "invalid_image"

    @pytest.mark.parametrize("shape", [(28, 28), (784,), (28, 28, 1), (1, 28, 28)])
    def test_pixels_up_to_256(
        self, trained_client: TestClient, pixels: np.ndarray, expected: list[float], shape: tuple[int, ...]
    ) -> None:
        batch = np.broadcast_to(pixels.reshape(shape), (256, *shape)).tolist()
        results = post_json(trained_client, {"pixels": batch})["results"]

        assert len(results) == 256
        for result in results[::85]:
            assert result["probabilities"] == pytest.approx(expected, abs=1e-4)

    def test_pixels_of_which_one_is_wrong(self, trained_client: TestClient, pixels: np.ndarray) -> None:
        good = pixels.tolist()
        results = post_json(trained_client, {"pixels": [good, [[1]], [[0] * 28] * 28, good]})["results"]

        assert [result.get("error") for result in results] == [None, "invalid_image", "invalid_image", None]

    def test_more_than_256_are_refused(self, trained_client: TestClient) -> None:
        response = trained_client.post("/predict", json={"images": ["AAAA"] * 257})

        assert (response.status_code, response.json()["error"]) == (422, "invalid_image")
        assert "send 1 to 256" in response.json()["detail"]

    def test_batch_of_bad_pictures_alone_is_answered(self, trained_client: TestClient) -> None:
        results = post_json(trained_client, {"images": ["AAAA", "****"]})["results"]

        assert [result["error"] for result in results] == ["invalid_image"] * 2


class TestBroken:
    def detail(self, client: TestClient, data: bytes) -> str:
        response = client.post("/predict", files={"file": ("digit", data)})
        assert (response.status_code, response.json()["error"]) == (422, "invalid_image")
        return str(response.json()["detail"])

    def test_truncated_picture_is_called_that(self, trained_client: TestClient, png: bytes) -> None:
        assert "PNG picture is truncated or damaged" in self.detail(trained_client, png[: len(png) // 2])

    def test_heic_is_named_with_what_to_do(self, trained_client: TestClient) -> None:
        detail = self.detail(trained_client, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50))

        assert "HEIC" in detail
        assert "JPEG" in detail

    def test_form_cut_off_is_called_that(self, trained_client: TestClient, png: bytes) -> None:
        request = trained_client.build_request("POST", "/predict", files={"file": ("digit.png", png)})
        body = request.read()
        response = trained_client.post(
            "/predict",
            content=body[: len(body) - 60],
            headers={"content-type": request.headers["content-type"]},
        )

        assert response.status_code == 422
        assert "truncated" in response.json()["detail"]

    def test_animation_is_read_by_its_first_picture_and_said(
        self, trained_client: TestClient, pixels: np.ndarray
    ) -> None:
        first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
        data = encode(first, "GIF", save_all=True, append_images=[second])
        answer = trained_client.post("/predict", files={"file": ("digit.gif", data)}).json()

        assert any("several pictures" in warning for warning in answer["warnings"])


class TestAnswer:
    def test_top_k_lists_the_most_probable(self, trained_client: TestClient, pixels: np.ndarray) -> None:
        answer = post_json(trained_client, {"pixels": pixels.tolist(), "top_k": 3})

        best = sorted(answer["probabilities"], reverse=True)[:3]
        assert [one["probability"] for one in answer["top"]] == best
        assert answer["top"][0]["digit"] == answer["digit"]
        assert post_json(trained_client, {"pixels": pixels.tolist()})["top"] is None

    @pytest.mark.parametrize("method", ["saliency", "gradcam"])
    def test_explanation_is_an_overlay(
        self, trained_client: TestClient, pixels: np.ndarray, method: str
    ) -> None:
        answer = post_json(trained_client, {"pixels": pixels.tolist(), "explain": method})

        assert answer["explanation"]["method"] == method
        kind, _, data = answer["explanation"]["image"].partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")

    def test_models_of_an_experiment_answer_with_their_mean(
        self, trained_client: TestClient, pixels: np.ndarray
    ) -> None:
        answer = post_json(trained_client, {"pixels": pixels.tolist(), "models": "experiment"})

        assert [model["run_id"] for model in answer["models"]] == [1, 2]
        mean = np.mean([model["probabilities"] for model in answer["models"]], axis=0)
        assert answer["probabilities"] == pytest.approx(mean.tolist(), abs=1e-6)
        assert answer["digit"] == int(mean.argmax())

    @pytest.mark.parametrize("field", [{"top_k": 0}, {"top_k": 11}, {"explain": "lime"}, {"models": "all"}])
    def test_options_that_are_none(
        self, trained_client: TestClient, pixels: np.ndarray, field: dict[str, Any]
    ) -> None:
        response = trained_client.post("/predict", json={"pixels": pixels.tolist(), **field})

        assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
