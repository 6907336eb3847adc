"""POST and GET /experiments: what is queued, what is answered, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lab.settings import Settings
from service.app import create_app


def submit(client: TestClient, **body: Any) -> dict[str, Any]:
    response = client.post("/experiments", json=body)
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


class TestSubmit:
    def test_queues_the_study_for_an_empty_body(self, client: TestClient) -> None:
        response = client.post("/experiments")

        assert response.status_code == 202
        answer = response.json()
        assert response.headers["location"] == f"/experiments/{answer['id']}"
        assert (answer["preset"], answer["dataset"], answer["status"]) == ("study", "digits", "queued")
        assert answer["progress"] == 0
        described = [
            (run["normalization"], run["l1"], run["l2"], run["affine"], run["penalize"], run["epochs"])
            for run in answer["runs"]
        ]
        assert described == [
            ("batch", 1e-4, 1e-3, True, "all", 25),
            ("group", 1e-4, 0.0, True, "all", 25),
            ("layer", 0.0, 1e-3, True, "all", 25),
            ("instance", 1e-4, 1e-3, False, "all", 25),
        ]
        assert {run["status"] for run in answer["runs"]} == {"queued"}
        assert {run["recipe"]["schedule_metric"] for run in answer["runs"]} == {"test"}

    def test_reads_what_curl_sends_by_default(self, client: TestClient) -> None:
        headers = {"content-type": "application/x-www-form-urlencoded"}

        response = client.post("/experiments", content='{"epochs": 2}', headers=headers)

        assert response.status_code == 202
        assert [run["epochs"] for run in response.json()["runs"]] == [2, 2, 2, 2]

    def test_takes_a_priority_and_refuses_one_out_of_range(self, client: TestClient) -> None:
        assert submit(client, configs=[{}], epochs=1, priority=-100)["priority"] == -100
        assert submit(client, configs=[{}], epochs=1)["priority"] == 0

        refused = client.post("/experiments", json={"priority": 101})

        assert refused.status_code == 422
        assert refused.json()["detail"] == "priority is 101; it must be from -100 to 100."

    def test_crosses_a_grid_with_seeds(self, client: TestClient) -> None:
        grid = {"normalization": ["batch", "none"], "penalty": ["none", "l1+l2"]}

        answer = submit(client, grid=grid, seeds=[3, 5], epochs=1)

        planned = {(run["normalization"], run["penalty"], run["seed"]) for run in answer["runs"]}
        assert planned == {
            (normalization, penalty, seed)
            for normalization in ("batch", "none")
            for penalty in ("none", "l1+l2")
            for seed in (3, 5)
        }
        assert len({(run["label"], run["seed"]) for run in answer["runs"]}) == 8

    def test_holds_out_validation_images_unless_it_is_the_study(self, client: TestClient) -> None:
        answer = submit(client, configs=[{"normalization": "group"}])

        recipe = answer["runs"][0]["recipe"]
        assert recipe["schedule_metric"] == "validation"
        assert recipe["validation_size"] == round(1_437 / 12)

    def test_counts_seeds_from_zero(self, client: TestClient) -> None:
        answer = submit(client, configs=[{}], seeds=3)

        assert [run["seed"] for run in answer["runs"]] == [0, 1, 2]

    def test_names_the_data_set_that_stands_in_for_mnist(self, tmp_path: Path) -> None:
        settings = Settings(
            database_url=f"sqlite:///{tmp_path}/lab.db", data_dir=tmp_path, default_dataset="digits"
        )
        with TestClient(create_app(settings)) as client:
            assert submit(client)["dataset"] == "digits"

    def test_uses_mnist_where_its_files_are(self, tmp_path: Path, mnist_dir: Path) -> None:
        settings = Settings(database_url=f"sqlite:///{tmp_path}/lab.db", data_dir=mnist_dir)
        with TestClient(create_app(settings)) as client:
            answer = submit(client)
            assert answer["dataset"] == "mnist"
            assert submit(client, configs=[{}])["runs"][0]["recipe"]["validation_size"] == 5_000


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"configs": [{"normalization": "spectral"}]}, "'batch', 'group', 'layer', 'instance' or 'none'"),
    ({"configs": [{"normalization": "group", "groups": 3}]}, "1, 2, 4, 8 and 16 would"),
    ({"configs": [{"normalization": "group", "groups": [4, 2, 2, 2, 4, 2, 2]}]}, "1, 2, 7 and 14 would"),
    ({"configs": [{"l1": -1e-4}]}, "l1 is -0.0001; it must be between 0 and 1"),
    ({"configs": [{"dropout": 1.0}]}, "at least 0 and below 1"),
    ({"epochs": 0}, "epochs is 0; it must be between 1 and 1000"),
    ({"epochs": 10**9}, "between 1 and 1000"),
    ({"epochs": 2.5}, "epochs"),
    ({"epochs": True}, "epochs"),
    ({"epochs": 10**400}, "epochs"),
    ({"learning_rate": "fast"}, "learning_rate"),
    ({"configs": [{}], "grid": {"normalization": ["batch"]}}, "both configs and grid"),
    ({"configs": []}, "at least one configuration"),
    ({"grid": {}}, "at least one field"),
    (
        {"grid": {"l1": [0.0] * 1_000, "l2": [0.0] * 1_000, "dropout": [0.0] * 1_000}},
        "1000000000 combinations",
    ),
    ({"grid": {"normalization": []}}, "at least one value"),
    ({"grid": {"penalty": ["l1"], "l1": [0.1]}}, "the one or the other"),
    ({"seeds": 0}, "count from 1"),
    ({"seeds": 10**9}, "count from 1"),
    ({"seeds": [1, 1]}, "same seed twice"),
    ({"seeds": [-1]}, "seed is -1"),
    ({"grid": {"dropout": [0.1 * i / 40 for i in range(40)]}, "seeds": 40}, "1600 runs"),
    ({"configs": [{}], "validation_size": 0}, "hold out some images"),
    ({"validation_size": 1_437}, "hold out fewer"),
    ({"batch_size": 1_438}, "only 1437 images"),
    ({"dataset": "cifar"}, "mnist, digits, fashion_mnist, kmnist"),
    ({"epoch": 3}, "epoch"),
    ({"name": ""}, "name"),
]


class TestRefuse:
    @pytest.mark.parametrize(("body", "sentence"), REFUSED, ids=lambda value: str(value)[:60])
    def test_says_what_would_be_right_and_queues_nothing(
        self, client: TestClient, body: dict[str, Any], sentence: str
    ) -> None:
        response = client.post("/experiments", json=body)

        assert response.status_code == 422
        assert set(response.json()) == {"error", "detail"}
        assert sentence in response.json()["detail"]
        assert client.get("/experiments").json()["experiments"] == []

    @pytest.mark.parametrize(
        "text", ["{", "[]", "7", '{"learning_rate": NaN}', '{"epochs": Infinity}', "\x00"]
    )
    def test_refuses_what_is_not_a_request(self, client: TestClient, text: str) -> None:
        response = client.post("/experiments", content=text, headers={"content-type": "application/json"})

        assert response.status_code == 422
        assert set(response.json()) == {"error", "detail"}
        assert client.get("/experiments").json()["experiments"] == []

    def test_names_a_data_set_that_cannot_be_had(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from torchvision.datasets import KMNIST

        monkeypatch.setattr(KMNIST, "mirrors", ["http://127.0.0.1:9/"])

        response = client.post("/experiments", json={"dataset": "kmnist"})

        assert response.status_code == 422
        assert response.json()["error"] == "dataset_unavailable"
        assert "kmnist" in response.json()["detail"]
        assert "KMNIST/raw" in response.json()["detail"]
        assert client.get("/experiments").json()["experiments"] == []


class TestRead:
    def test_pages_from_the_newest(self, client: TestClient) -> None:
        ids = [submit(client, configs=[{}], name=f"number {number}")["id"] for number in range(5)]

        first = client.get("/experiments", params={"limit": 2}).json()
        second = client.get("/experiments", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        third = client.get("/experiments", params={"limit": 2, "cursor": second["next_cursor"]}).json()

        pages = [[row["id"] for row in page["experiments"]] for page in (first, second, third)]
        assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]
        assert third["next_cursor"] is None

    def test_filters_by_status_over_pages(self, client: TestClient, train: Callable[[int], None]) -> None:
        for _ in range(4):
            submit(client, configs=[{}], epochs=1, batch_size=512)
        train(1)

        completed = client.get("/experiments", params={"status": "completed", "limit": 1}).json()
        queued = client.get("/experiments", params={"status": "queued", "limit": 2}).json()

        assert [row["id"] for row in completed["experiments"]] == [1]
        assert completed["next_cursor"] is None
        assert [row["id"] for row in queued["experiments"]] == [4, 3]
        assert queued["next_cursor"] == 3

    @pytest.mark.slow
    def test_follows_a_run_to_its_end(self, client: TestClient, train: Callable[[int], None]) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "none"}], epochs=2)["id"]
        train(1)

        answer = client.get(f"/experiments/{experiment_id}").json()

        assert [run["status"] for run in answer["runs"]] == ["completed", "queued"]
        assert [run["epoch"] for run in answer["runs"]] == [2, 0]
        assert (answer["status"], answer["progress"]) == ("queued", 0.5)
        assert 0 <= answer["runs"][0]["test_accuracy"] <= 1
        assert answer["best_test_accuracy"] == answer["runs"][0]["test_accuracy"]

    @pytest.mark.parametrize("path", ["/experiments/99", "/experiments/99/curves", "/runs/99", "/nothing"])
    def test_says_not_found_in_the_one_shape(self, client: TestClient, path: str) -> None:
        response = client.get(path)

        assert response.status_code == 404
        assert set(response.json()) == {"error", "detail"}

    @pytest.mark.parametrize("path", ["/experiments/one", "/experiments?limit=0", "/experiments?cursor=x"])
    def test_refuses_what_is_no_number(self, client: TestClient, path: str) -> None:
        response = client.get(path)

        assert response.status_code == 422
        assert response.json()["error"] == "invalid_request"


@pytest.mark.slow
class TestResults:
    def test_gives_a_row_a_run(self, trained_client: TestClient) -> None:
        answer = trained_client.get("/experiments/1/results").json()

        batch, instance, layer = answer["runs"]
        assert [batch["parameters"], instance["parameters"], layer["parameters"]] == [7_940, 7_748, 64_772]
        curves = trained_client.get("/experiments/1/curves").json()["runs"][0]
        assert batch["final_test_accuracy"] == curves["test_accuracy"][-1]
        assert batch["best_test_accuracy"] == max(curves["test_accuracy"])
        assert curves["test_accuracy"][batch["best_test_epoch"] - 1] == batch["best_test_accuracy"]
        assert batch["last_five_test_accuracy"] == pytest.approx(sum(curves["test_accuracy"][-5:]) / 5)
        assert (layer["status"], layer["final_test_accuracy"]) == ("queued", None)
        assert any("Cannot conclude" in warning for warning in answer["warnings"])

    def test_gives_the_same_as_csv_and_markdown(self, trained_client: TestClient) -> None:
        as_csv = trained_client.get("/experiments/1/results?format=csv")
        as_markdown = trained_client.get("/experiments/1/results?format=markdown")

        assert as_csv.headers["content-type"].startswith("text/csv")
        assert as_csv.text.splitlines()[0].startswith("run_id,label,normalization")
        assert len(as_csv.text.splitlines()) == 4
        assert "| batch + L2 | 0 | 7,940 |" in as_markdown.text
        assert "Cannot conclude" in as_markdown.text

    def test_warns_that_the_study_is_steered_by_the_test_set_and_confounded(self, client: TestClient) -> None:
        experiment_id = submit(client, epochs=1)["id"]

        warnings = client.get(f"/experiments/{experiment_id}/results").json()["warnings"]

        assert any("test loss set the learning rate" in warning for warning in warnings)
        assert any("Normalization, penalty and affine change together" in warning for warning in warnings)

    def test_does_not_warn_of_a_full_grid_with_six_seeds(self, client: TestClient) -> None:
        grid = {"normalization": ["batch", "group"], "penalty": ["none", "l2"]}
        experiment_id = submit(client, grid=grid, seeds=6)["id"]

        assert client.get(f"/experiments/{experiment_id}/results").json()["warnings"] == []

    def test_curves_have_one_value_an_epoch(self, trained_client: TestClient) -> None:
        runs = trained_client.get("/experiments/1/curves").json()["runs"]

        assert [len(run["epochs"]) for run in runs] == [6, 6, 0]
        for run in runs:
            assert run["epochs"] == list(range(1, len(run["epochs"]) + 1))
            for name in ("train_loss", "train_accuracy", "validation_loss", "test_loss", "test_accuracy"):
                assert len(run[name]) == len(run["epochs"])
        assert runs[0]["train_loss"][-1] < runs[0]["train_loss"][0]

    def test_answers_are_strict_json(self, trained_client: TestClient) -> None:
        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        for path in ("/experiments/1", "/experiments/1/curves", "/experiments/1/results"):
            json.loads(trained_client.get(path).text, parse_constant=refuse)
