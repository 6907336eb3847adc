"""Reads a prepared picture with trained networks."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lab.checkpoints import decode_tensors
from lab.configs import RunConfig
from lab.datasets import DATASETS
from lab.networks import build_network
from lab.pixels import normalize_pixels
from lab.records import RunRecord

MAX_CACHED_NETWORKS = 64


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one network made of a picture; ``probabilities`` has ten numbers that sum to 1."""

    run: RunRecord
    digit: int
    confidence: float
    probabilities: list[float]


class Predictor:
    """Keeps the networks that were asked last; safe to share between threads."""

    def __init__(self) -> None:
        self._networks: OrderedDict[int, nn.Module] = OrderedDict()
        self._lock = threading.Lock()

    def read(
        self, pixels: NDArray[np.uint8], run: RunRecord, *, read_weights: Callable[[], bytes]
    ) -> Reading:
        """Have the completed ``run`` read ``pixels`` (28, 28); its weights are asked for once."""
        network = self._find_network(run, read_weights)
        images = normalize_pixels(torch.from_numpy(pixels).unsqueeze(0).float() / 255)
        with torch.inference_mode():
            probabilities = network(images).exp().squeeze(0).tolist()
        digit = max(range(len(probabilities)), key=probabilities.__getitem__)
        return Reading(run=run, digit=digit, confidence=probabilities[digit], probabilities=probabilities)

    def _find_network(self, run: RunRecord, read_weights: Callable[[], bytes]) -> nn.Module:
        with self._lock:
            network = self._networks.get(run.id)
            if network is None:
                network = load_network(run.config, read_weights())
                self._networks[run.id] = network
            self._networks.move_to_end(run.id)
            if len(self._networks) > MAX_CACHED_NETWORKS:
                self._networks.popitem(last=False)
        return network


def load_network(config: RunConfig, weights: bytes) -> nn.Module:
    """The trained network of ``config``, in eval mode on the CPU."""
    network = build_network(config)
    network.load_state_dict(decode_tensors(weights))
    return network.eval()


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
