"""Every curl line of docs/api.md does what it says, against a real service and worker."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from lab.datasets.load import Dataset
from tests.conftest import REPOSITORY
from tests.processes import Processes

pytestmark = pytest.mark.slow


def read_commands() -> list[str]:
    """The curl commands of docs/api.md, continued lines joined."""
    text = (REPOSITORY / "docs" / "api.md").read_text()
    lines = "".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
    return [command.strip() for command in re.split(r"\n(?=curl )", lines)[1:]]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Iterator[Processes]:
    """Processes whose first experiment has completed, in a folder that holds three.png."""
    processes = Processes(tmp_path_factory.mktemp("lab"))
    processes.start("service")
    processes.start("worker")
    try:
        processes.wait_for_service()
        processes.client.post("/experiments", json={"configs": [{}], "epochs": 1})
        processes.wait_for_run(1, epoch=1)
        # The page queues more than 180 runs; nobody waits for them here.
        processes.kill("worker")
        index = int((digits.test.labels == 3).nonzero()[0])
        picture = Image.fromarray(digits.test.images[index].numpy())
        picture.resize((280, 280)).save(processes.folder / "three.png")
        yield processes
    finally:
        processes.stop()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", read_commands())
def test_curl_line(lab: Processes, command: str) -> None:
    ended = subprocess.run(
        ["bash", "-c", command.replace("curl ", "curl --silent --show-error --fail-with-body ", 1)],
        cwd=lab.folder,
        env={**lab.environment, "LAB": str(lab.client.base_url).rstrip("/")},
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    written = re.search(r"-o (\S+)", command)
    if written is None:
        assert ended.stdout or "DELETE" in command
    else:
        path = Path(lab.folder / written.group(1))
        assert path.stat().st_size > 1_000
        if path.suffix == ".png":
            assert Image.open(path).format == "PNG"


def test_the_commands_were_found() -> None:
    assert len(read_commands()) > 40
