"""Reads prepared pictures with trained networks."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from fastapi import Depends, Request
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.database.safetensors import decode_tensors
from lab.datasets.load import DATASETS
from lab.datasets.pixels import normalize_pixels
from lab.experiments.configs import RunConfig
from lab.networks.build import build_network
from lab.runs.records import RunRecord
from lab.statistics.calibration import calibrate

# A network takes 32 to 260 KB. With fewer than the configurations of one request, none would be reused.
MAX_CACHED_NETWORKS = 512
# Images whose feature maps take 40 MB.
IMAGES_AT_ONCE = 512


Probabilities = NDArray[np.float32]


class Predictor:
    """A cache of the most recently used networks; safe to share between threads."""

    def __init__(self) -> None:
        self._networks: OrderedDict[int, nn.Sequential] = OrderedDict()
        self._lock = threading.Lock()

    def read(
        self, pixels: NDArray[np.uint8], run: RunRecord, *, read_weights: Callable[[], bytes]
    ) -> Probabilities:
        """Probabilities (N, 10) of ``pixels`` (N, 28, 28) by the completed ``run``.

        They are calibrated by the run's temperature where it has one. Its weights are read once.
        """
        network = self.find_network(run, read_weights=read_weights)
        with torch.inference_mode():
            parts = scale_pixels(pixels).split(IMAGES_AT_ONCE)
            log_probabilities = torch.cat([network(normalize_pixels(part)) for part in parts]).numpy()
        temperature = run.calibration.temperature if run.calibration else 1.0
        return calibrate(log_probabilities, temperature)

    def find_network(self, run: RunRecord, *, read_weights: Callable[[], bytes]) -> nn.Sequential:
        """The trained network of the completed ``run``, in eval mode."""
        with self._lock:
            network = self._networks.get(run.id)
            if network is None:
                network = load_network(run.config, read_weights())
                self._networks[run.id] = network
            self._networks.move_to_end(run.id)
            if len(self._networks) > MAX_CACHED_NETWORKS:
                self._networks.popitem(last=False)
        return network


def get_predictor(request: Request) -> Predictor:
    """Get the app's predictor."""
    predictor: Predictor = request.app.state.predictor
    return predictor


PredictorDep = Annotated[Predictor, Depends(get_predictor)]


def load_network(config: RunConfig, weights: bytes) -> nn.Sequential:
    """The trained network of ``config``, in eval mode on the CPU."""
    network = build_network(config)
    network.load_state_dict(decode_tensors(weights))
    return network.eval().requires_grad_(False)


def scale_pixels(pixels: NDArray[np.uint8]) -> Tensor:
    """Pixels 0–255 as floats 0–1, of the same shape."""
    return torch.from_numpy(pixels).float() / 255


def rank_runs(runs: list[RunRecord]) -> list[RunRecord]:
    """Best first among the completed ``runs``: MNIST before the embedded digits, then by accuracy.

    Accuracy is that on the validation images, or, where none were held out, on the test images.
    """

    def merit(run: RunRecord) -> tuple[bool, bool, float]:
        metric = run.last_metric
        accuracy = 0.0
        if metric is not None:
            accuracy = (
                metric.validation_accuracy if metric.validation_accuracy is not None else metric.test_accuracy
            )
        return DATASETS[run.config.dataset].shows_digits, run.config.dataset == "mnist", accuracy

    return sorted(runs, key=merit, reverse=True)


def keep_best_per_configuration(ranked: list[RunRecord]) -> list[RunRecord]:
    """Keep the first of the ``ranked`` runs with each label; the order stays."""
    best: dict[str, RunRecord] = {}
    for run in ranked:
        best.setdefault(run.config.label, run)
    return list(best.values())
