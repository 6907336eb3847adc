"""GET /experiments/{id}/plots: the index, every plot in every format, and leaving normalizations out."""

import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image

pytestmark = pytest.mark.slow

SIGNATURES = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def test_every_plot_in_the_index_is_a_picture(trained_client: TestClient) -> None:
    plots = trained_client.get("/experiments/1/plots").json()["plots"]

    assert [plot["name"] for plot in plots] == [
        "overview",
        "train-accuracy",
        "test-accuracy",
        "train-loss",
        "test-loss",
        "ranking",
        "verdicts",
        "first-epoch",
        "reliability",
        *(f"run-1-{quantity}" for quantity in ("accuracy", "loss", "reliability")),
        *(f"run-2-{quantity}" for quantity in ("accuracy", "loss", "reliability")),
        *(f"run-3-{quantity}" for quantity in ("accuracy", "loss")),
    ]
    for plot in plots:
        response = trained_client.get(plot["url"])
        assert response.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(response.content)).width > 600


@pytest.mark.parametrize("image_format", list(SIGNATURES))
def test_formats_by_ending(trained_client: TestClient, image_format: str) -> None:
    response = trained_client.get(f"/experiments/1/plots/test-loss.{image_format}")

    assert response.status_code == 200
    assert response.content.startswith(SIGNATURES[image_format])


def test_the_overview_itself_for_those_who_accept_a_picture(trained_client: TestClient) -> None:
    by_header = trained_client.get("/experiments/1/plots", headers={"accept": "image/png"})

    assert by_header.headers["content-type"] == "image/png"
    assert by_header.content == trained_client.get("/experiments/1/plots/overview.png").content


def test_leaves_normalizations_out(trained_client: TestClient) -> None:
    with_all = trained_client.get("/experiments/1/plots/test-accuracy.svg").text
    without = trained_client.get("/experiments/1/plots/test-accuracy.svg?normalizations=batch,layer").text

    assert "instance" in with_all
    assert "instance" not in without
    assert "batch + L2" in without
    index = trained_client.get("/experiments/1/plots?normalizations=batch").json()["plots"]
    assert [plot["name"] for plot in index if plot["name"].startswith("run-")] == [
        "run-1-accuracy",
        "run-1-loss",
        "run-1-reliability",
    ]
    assert all("normalizations=batch" in plot["url"] for plot in index)


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("overview.bmp", 404, ".png, .svg, .pdf"),
        ("overview", 404, ".png, .svg, .pdf"),
        ("fun.png", 404, "lists its plots"),
        ("run-99-loss.png", 404, "lists its plots"),
        ("overview.png?normalizations=spectral", 422, "batch, group, layer, instance, none"),
        ("overview.png?normalizations=group", 422, "it has batch, instance, layer"),
    ],
)
def test_refuses_plots_there_are_not(
    trained_client: TestClient, path: str, status: int, sentence: str
) -> None:
    response = trained_client.get(f"/experiments/1/plots/{path}")

    assert response.status_code == status
    assert set(response.json()) == {"error", "detail"}
    assert sentence in response.json()["detail"]


def test_an_experiment_without_an_epoch_still_has_its_figures(client: TestClient) -> None:
    client.post("/experiments")

    for plot in client.get("/experiments/1/plots").json()["plots"]:
        assert client.get(plot["url"]).status_code == 200
