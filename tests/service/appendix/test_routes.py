"""GET and POST /appendix in every format, and what they refuse."""

import io
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from service.appendix.routes import router
from service.errors import add_error_handlers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    app.include_router(router)
    add_error_handlers(app)
    return TestClient(app)


class TestStudy:
    def test_sets_carry_the_references_figures(self, client: TestClient) -> None:
        body = client.get("/appendix").json()
        batch, group = body["batch"][0], body["group"][0]
        assert (batch["channel"], batch["count"], batch["sum"], batch["mean"]) == (0, 16, -6, -0.375)
        assert (batch["mean_fraction"], batch["variance_fraction"]) == ("-3/8", "279/64")
        assert (group["image"], group["group"], group["channels"]) == (0, 0, [0, 1])
        assert (group["mean"], group["variance"], round(group["std"], 5)) == (-0.25, 3.4375, 1.85405)
        assert group["values"] == [-3, -2, 1, -1, 2, -2, 2, 1]
        assert [step["name"] for step in group["steps"]][:3] == ["values", "sum", "count"]
        assert r"\frac{27.5}{8}" in group["latex"]
        assert [one["image"] for one in body["layer"]] == [0, 1, 2, 3]
        assert (body["instance"][7]["image"], body["instance"][7]["channel"]) == (1, 3)

    def test_steps_carry_mathml_in_pieces_and_sets_a_color(self, client: TestClient) -> None:
        group = client.get("/appendix").json()["group"]
        mean = next(step for step in group[0]["steps"] if step["name"] == "mean")
        assert len(mean["mathml"]) == 3
        assert mean["mathml"][0].startswith('<math displaystyle="true"><mrow><mi>μ</mi><mo>=</mo><mfrac>')
        assert mean["mathml"][2].endswith("<mn>0.25</mn></mrow></mrow></math>")
        assert [one["color"] for one in group] == list(range(8))

    def test_sample_marks_what_is_filled_in(self, client: TestClient) -> None:
        sample = client.get("/appendix").json()["sample"]
        assert sample["shape"] == [4, 4, 2, 2]
        assert sample["channel_names"] == ["blue", "green", "yellow", "brown"]
        assert sample["pixels"][0][0] == [[-3, -2], [1, -1]]
        assert len(sample["filled_in"]) == 36
        assert [0, 0, 0, 0] not in sample["filled_in"]
        assert (sample["groups"], sample["eps"], sample["gamma"], sample["beta"]) == (2, 0, None, None)

    def test_first_value_of_a_set_is_worked_through_the_layer(self, client: TestClient) -> None:
        body = client.get("/appendix").json()
        for name in ("batch", "layer", "group", "instance"):
            for one in body[name]:
                value, (image, channel, row, column) = one["first_value"], one["first_value"]["position"]
                assert value["value"] == one["values"][0]
                assert (value["mean"], value["variance"]) == (one["mean"], one["variance"])
                assert value["output"] == body["normalized"][name][image][channel][row][column]
                assert [step["name"] for step in value["steps"]] == ["normalized value", "scaled and shifted"]
        value = body["batch"][0]["first_value"]
        assert (value["eps"], value["gamma"], value["beta"]) == (0, 1, 0)
        assert value["place"] == "image 1, blue, row 1, column 1"
        assert value["steps"][0]["mathml"][0].startswith(
            '<math displaystyle="true"><mrow><mover accent="true">'
        )

    def test_inference_carries_one_update(self, client: TestClient) -> None:
        inference = client.get("/appendix").json()["inference"]
        assert (inference["momentum"], inference["start_mean"], inference["start_variance"]) == (0.1, 0, 1)
        blue = inference["channels"][0]
        assert (blue["unbiased_variance"], blue["running_mean"], blue["running_variance"]) == (
            4.65,
            -0.0375,
            1.365,
        )
        assert (blue["unbiased_variance_fraction"], blue["running_variance_fraction"]) == ("93/20", "273/200")
        assert blue["first_value"]["output"] == inference["normalized"][0][0][0][0]
        assert blue["first_value"]["output"] == pytest.approx(-2.9625 / 1.365**0.5)
        assert [step["name"] for step in blue["steps"]][:3] == [
            "unbiased variance",
            "running mean",
            "running variance",
        ]
        single = client.post("/appendix", json={"pixels": [[[[1]], [[2]]]]}).json()
        assert single["inference"] is None

    def test_notes_begin_with_the_studys_slip(self, client: TestClient) -> None:
        assert "2.938" in client.get("/appendix").json()["notes"][0]


class TestFormats:
    def test_markdown(self, client: TestClient) -> None:
        answer = client.get("/appendix", params={"format": "markdown"})
        assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
        assert answer.text.startswith("# Normalization, worked out by hand")

    def test_html(self, client: TestClient) -> None:
        answer = client.get("/appendix", params={"format": "html"})
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.text.startswith("<!doctype html>")

    def test_png(self, client: TestClient) -> None:
        answer = client.get("/appendix", params={"format": "png"})
        assert answer.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(answer.content)).format == "PNG"

    def test_posted_tensor_in_each_format(self, client: TestClient) -> None:
        for name, start in (("markdown", b"# "), ("html", b"<!doctype"), ("png", b"\x89PNG")):
            answer = client.post(
                "/appendix", params={"format": name}, json={"pixels": [[[[1, 2]], [[3, 4]]]]}
            )
            assert answer.status_code == 200
            assert answer.content.startswith(start)

    def test_unknown_format_is_refused(self, client: TestClient) -> None:
        assert client.get("/appendix", params={"format": "pdf"}).status_code == 422


class TestPost:
    def test_normalized_uses_eps_gamma_and_beta(self, client: TestClient) -> None:
        body = {"pixels": [[[[1, 3]], [[2, 6]]]], "groups": 1, "eps": 3, "gamma": [2, 1], "beta": [0, 10]}
        answer = client.post("/appendix", json=body).json()
        # Channel 1 has variance 1 and channel 2 has variance 4.
        assert answer["normalized"]["instance"][0][0] == [[-1, 1]]
        assert answer["normalized"]["batch"][0][1][0] == pytest.approx([10 - 2 / 7**0.5, 10 + 2 / 7**0.5])
        assert answer["sample"]["gamma"] == [2, 1]
        assert answer["instance"][1]["std"] == 2

    def test_three_groups_of_two_channels(self, client: TestClient) -> None:
        answer = client.post("/appendix", json={"pixels": [[[[c]] for c in range(6)]], "groups": 3}).json()
        assert [(one["group"], one["channels"], one["mean_fraction"]) for one in answer["group"]] == [
            (0, [0, 1], "1/2"),
            (1, [2, 3], "5/2"),
            (2, [4, 5], "9/2"),
        ]

    @pytest.mark.parametrize(
        ("body", "part"),
        [
            ("{}", "pixels is missing: give four nested lists"),
            ('{"pixels": null}', "pixels is missing"),
            ('{"pixels": [[[[NaN]]]]}', "not a number (NaN)"),
            ('{"pixels": [[[[1]]]], "groups": 1, "eps": Infinity}', "eps is infinite"),
            ('{"pixels": [[[[1]], [[2]]]], "groups": 2.0}', "groups must be a whole number"),
            ('{"pixels": [[[[1]], [[2]], [[3]], [[4]]]], "groups": 3}', "1, 2 and 4 would"),
            ('{"pixels": [[[[1]], [[2]]]], "gamma": NaN}', "gamma must be a list"),
        ],
    )
    def test_refusals_are_sentences(self, client: TestClient, body: str, part: str) -> None:
        answer = client.post("/appendix", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert answer.json()["error"] == "invalid_tensor"
        assert part in answer.json()["detail"]

    def test_a_misspelt_field_is_named(self, client: TestClient) -> None:
        body = '{"pixels": [[[[1]], [[2]]]], "group": NaN}'
        answer = client.post("/appendix", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("group: ")

    def test_figure_too_large_to_read_is_refused_but_its_json_is_not(self, client: TestClient) -> None:
        body = {"pixels": [[[[0] * 41]]], "groups": 1}
        assert client.post("/appendix", json=body).status_code == 200
        answer = client.post("/appendix", params={"format": "png"}, json=body)
        assert (answer.status_code, answer.json()["error"]) == (422, "invalid_tensor")

    def test_largest_tensor_is_answered(self, client: TestClient) -> None:
        pixels = [[[[n + c / 10] for _ in range(1)] for c in range(64)] for n in range(64)]
        answer = client.post("/appendix", json={"pixels": pixels}).json()
        assert len(answer["instance"]) == 4096


class TestOpenApi:
    def test_fields_and_formats_are_described(self, client: TestClient) -> None:
        document: dict[str, Any] = client.get("/openapi.json").json()
        operation = document["paths"]["/appendix"]["post"]
        assert set(operation["responses"]["200"]["content"]) == {
            "application/json",
            "text/markdown",
            "text/html",
            "image/png",
        }
        request = document["components"]["schemas"]["AppendixRequest"]
        assert request["required"] == ["pixels"]
        assert request["additionalProperties"] is False
        assert all("description" in field for field in request["properties"].values())
        assert request["properties"]["groups"]["type"] == "integer"
