"""The service's own reading, with a network of the best recipe that is kept beside this file."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lab.experiments.configs import RunConfig
from lab.runs.records import RunRecord
from lab.statistics.calibration import Calibration
from service.predict.answers import answer_pictures
from service.predict.novelty import NoveltyDetectors
from service.predict.panel import Panel
from service.predict.predictor import Predictor
from service.predict.preparation import prepare_picture
from service.predict.requests import PredictionOptions
from service.predict.schemas import PredictionOut
from service.test_images import TestImages

# GET /runs/1/weights of the experiment {"preset": "best", "dataset": "mnist", "seeds": 1}, trained on a CPU:
# 99.60 % of MNIST's test images.
WEIGHTS = Path(__file__).with_name("network.safetensors")
CALIBRATION = Calibration(temperature=0.9042, error=0.0013, calibrated_error=0.0012)


def read_picture(data: bytes, *, data_dir: Path) -> PredictionOut:
    """Answer a picture file as POST /predict does; novelty is measured where MNIST is in ``data_dir``."""
    (answer,) = answer_pictures([prepare_picture(data)], open_panel(data_dir), options=PredictionOptions())
    return answer


@cache
def open_panel(data_dir: Path) -> Panel:
    """The kept network alone."""
    return Panel(
        runs=list_runs(),
        is_ensemble=False,
        predictor=Predictor(),
        detectors=NoveltyDetectors(TestImages(data_dir)),
        read_weights=lambda _run: WEIGHTS.read_bytes(),
    )


def list_runs() -> Sequence[RunRecord]:
    """The run whose network it is."""
    config = RunConfig(
        dataset="mnist", normalization="batch", dropout=0.0, schedule="onecycle", validation_size=0
    )
    return [
        RunRecord(
            id=1,
            experiment_id=1,
            config=config,
            status="completed",
            epoch=20,
            device=None,
            variant=None,
            bundle=[],
            worker=None,
            error=None,
            stalled=None,
            started_at=None,
            finished_at=None,
            last_metric=None,
            calibration=CALIBRATION,
        )
    ]
