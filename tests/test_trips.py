"""The three trips through real processes: service, worker and database as a user starts them."""

import io
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lab.datasets.load import Dataset
from tests.processes import Processes
from tests.warm import WarmProcess

pytestmark = pytest.mark.slow


def test_the_three_trips(processes: Processes, digits: Dataset) -> None:
    client = processes.client
    body = {"configs": [{"normalization": "batch"}, {"normalization": "none"}], "epochs": 5, "batch_size": 32}

    submitted = client.post("/experiments", content=json.dumps(body))
    assert submitted.status_code == 202
    location = submitted.headers["location"]
    first, second = (run["id"] for run in submitted.json()["runs"])
    processes.wait_for_run(second, epoch=5)

    experiment = client.get(location).json()
    assert (experiment["status"], experiment["progress"]) == ("completed", 1.0)
    assert experiment["runs"][0]["device"].startswith("cpu")
    curves = client.get(f"{location}/curves").json()["runs"]
    assert [run["epochs"] for run in curves] == [[1, 2, 3, 4, 5]] * 2
    picture = client.get(f"{location}/plots", headers={"accept": "image/png"})
    assert Image.open(io.BytesIO(picture.content)).format == "PNG"
    assert client.get(f"{location}/misclassified.png").headers["content-type"] == "image/png"

    buffer = io.BytesIO()
    Image.fromarray(digits.train.images[0].numpy()).save(buffer, "PNG")
    files = {"file": ("digit.png", buffer.getvalue())}
    prediction = client.post("/predict", files=files, data={"run_id": first}).json()
    assert prediction["digit"] == int(digits.train.labels[0])

    worked = client.post("/appendix", json={"pixels": [[[[1, 2], [3, 4]]]], "groups": 1}).json()
    assert (worked["layer"][0]["mean"], worked["layer"][0]["variance"]) == (2.5, 1.25)


def test_a_killed_worker_s_run_goes_on_where_it_was(processes: Processes) -> None:
    client = processes.client
    # Long enough for what is done to it: an epoch takes a fraction of a second.
    body = {"configs": [{"normalization": "group", "l1": 1e-4}], "epochs": 7}
    killed, whole = (client.post("/experiments", json=body).json()["runs"][0]["id"] for _ in range(2))
    processes.wait_for_run(killed, epoch=2)

    assert client.get(f"/runs/{killed}").json()["worker"] == "worker-1"
    processes.send("worker", signal.SIGKILL)
    orphan = client.get(f"/runs/{killed}").json()
    assert (orphan["status"], orphan["worker"]) == ("queued", None)
    assert orphan["stalled"].startswith("No worker is alive")
    processes.start("worker")
    processes.wait_for_run(killed, epoch=4)
    assert processes.send("worker", signal.SIGTERM) == 0
    processes.start("worker")
    for run_id in (killed, whole):
        processes.wait_for_run(run_id, epoch=7)

    def read(run_id: int) -> list[Any]:
        run = client.get(f"/runs/{run_id}").json()
        experiment = client.get(f"/experiments/{run['experiment_id']}/curves").json()["runs"][0]
        measured = [experiment[name] for name in experiment if name not in ("run_id",)]
        return [run["status"], measured, client.get(f"/runs/{run_id}/weights").headers["etag"]]

    assert read(killed) == read(whole)
    assert read(whole)[0] == "completed"


def test_an_accepted_experiment_outlives_a_killed_service(processes: Processes) -> None:
    accepted = processes.client.post("/experiments", json={"configs": [{}], "epochs": 1}).json()

    processes.send("service", signal.SIGKILL)
    processes.start("service")
    processes.wait_for_service()

    assert processes.wait_for_run(accepted["runs"][0]["id"], epoch=1)["experiment_id"] == accepted["id"]


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("LAB_HOST", "0.0.0.0", "LAB_API_TOKEN"),
        ("LAB_PORT", "http", "LAB_PORT"),
        ("LAB_DATABASE_URL", "mysql://here/lab", "sqlite:///"),
    ],
)
def test_a_process_with_impossible_settings_says_so_in_a_sentence(
    tmp_path: Path, variable: str, value: str, sentence: str
) -> None:
    environment = {**os.environ, "LAB_DATABASE_URL": f"sqlite:///{tmp_path}/lab.db", variable: value}

    log_path = tmp_path / "service.log"
    assert WarmProcess("service", environment=environment, log_path=log_path).wait(60) == 2

    log = log_path.read_text()
    assert log.startswith("service: ")
    assert sentence in log
    assert "Traceback" not in log
