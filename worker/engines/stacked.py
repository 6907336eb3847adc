"""K networks as one, by PyTorch's operators: stacked weights, grouped convolutions, on any device.

Training many runs at once as one horizontally fused network keeps a device busy that one small network leaves
idle (Wang et al. 2021, HFTA). The channels of the runs lie side by side, (N, K·C, H, W).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.experiments.architecture import NUM_CLASSES, ROWS, Row
from lab.experiments.configs import RunConfig
from worker.engines.interface import BATCH_NORM_MOMENTUM, NORMALIZATION_EPS, Batch
from worker.engines.weights import Weights, list_running


class StackedEngine:
    """The engine for networks of ``configs`` with the same normalization, groups and affine setting."""

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self._config = configs[0]
        self._num_runs = len(configs)
        self._running = dict(list_running())

    def use_threads(self, num_threads: int) -> None:
        """Use this many PyTorch threads."""
        torch.set_num_threads(num_threads)

    def differentiate(self, weights: Weights, batch: Batch) -> Tensor:
        """See ``Engine``."""
        parameters = weights.parameters.detach().requires_grad_()
        step = _Step(weights, parameters, batch=batch)
        log_probabilities = self._forward(step, batch.images.transpose(0, 1))
        picked = log_probabilities.gather(2, batch.labels.unsqueeze(2))
        # The runs do not touch each other, so the gradient of the sum is each run's own.
        (gradient,) = torch.autograd.grad(-picked.sum() / batch.labels.shape[1], parameters)
        weights.num_batches += 1
        return gradient

    def predict(self, weights: Weights, images: Tensor) -> Tensor:
        """See ``Engine``."""
        with torch.inference_mode():
            step = _Step(weights, weights.parameters, batch=None)
            return self._forward(step, images.expand(-1, self._num_runs, -1, -1))

    def _forward(self, step: "_Step", x: Tensor) -> Tensor:
        """Images (N, K, 28, 28) to log-probabilities (K, N, 10)."""
        block = 0
        for row in ROWS:
            if row.pool is not None:
                pool = F.max_pool2d if row.pool == "max" else F.avg_pool2d
                x = pool(x, row.pool_size)
            weight = step.named[f"conv{row.number}.weight"].flatten(0, 1)  # (K·C_out, C_in, k, k)
            x = F.conv2d(x, weight, padding=row.padding, groups=self._num_runs)
            if row.is_block:
                x = F.relu(self._normalize(step, row, x, block=block))
                x = self._drop(step, x, block=block)
                block += 1
        logits = x.view(-1, self._num_runs, NUM_CLASSES).transpose(0, 1)
        return F.log_softmax(logits, dim=2)

    def _normalize(self, step: "_Step", row: Row, x: Tensor, *, block: int) -> Tensor:
        gamma, beta = (step.named.get(f"norm{row.number}.{name}") for name in ("weight", "bias"))
        flat_gamma, flat_beta = (None if p is None else p.flatten() for p in (gamma, beta))
        match self._config.normalization:
            case "batch":
                return step.normalize_batch(x, flat_gamma, flat_beta, channels=self._running[row.number])
            case "group":
                num_groups = self._num_runs * self._config.num_groups[block]
                return F.group_norm(x, num_groups, flat_gamma, flat_beta, NORMALIZATION_EPS)
            case "instance":
                return F.group_norm(x, x.shape[1], flat_gamma, flat_beta, NORMALIZATION_EPS)
            case "layer":
                per_run = x.unflatten(1, (self._num_runs, row.out_channels))  # (N, K, C, H, W)
                normalized = F.layer_norm(per_run, per_run.shape[2:], eps=NORMALIZATION_EPS)
                if gamma is not None and beta is not None:
                    normalized = normalized * gamma + beta
                return normalized.flatten(1, 2)
            case _:
                return x

    def _drop(self, step: "_Step", x: Tensor, *, block: int) -> Tensor:
        if step.batch is None or not step.batch.dropped:
            return x
        per_run = x[0].numel() // self._num_runs
        positions = []
        for index, dropped in enumerate(step.batch.dropped):
            image, inside = dropped.positions[block] // per_run, dropped.positions[block] % per_run
            positions.append((image * self._num_runs + index) * per_run + inside)
        kept = x.flatten().index_fill(0, torch.cat(positions), 0.0).view_as(x)
        scales = torch.tensor([dropped.keep_scale for dropped in step.batch.dropped], device=x.device)
        scaled: Tensor = kept.unflatten(1, (self._num_runs, -1)) * scales.view(-1, 1, 1, 1)
        return scaled.flatten(1, 2)


class _Step:
    """One pass over the networks: their parameters by name, (K, …), and the batch when they train."""

    def __init__(self, weights: Weights, parameters: Tensor, *, batch: Batch | None) -> None:
        self.batch = batch
        self.named = weights.layout.split(parameters)
        self._weights = weights

    def normalize_batch(
        self, x: Tensor, gamma: Tensor | None, beta: Tensor | None, *, channels: slice
    ) -> Tensor:
        """Batch normalization of (N, K·C, H, W), by the batch's statistics when training."""
        mean, var = (
            statistics[:, channels].flatten().clone()
            for statistics in (self._weights.running_mean, self._weights.running_var)
        )
        is_training = self.batch is not None
        normalized = F.batch_norm(
            x, mean, var, gamma, beta, is_training, BATCH_NORM_MOMENTUM, NORMALIZATION_EPS
        )
        if is_training:
            self._weights.running_mean[:, channels] = mean.view(len(self._weights.running_mean), -1)
            self._weights.running_var[:, channels] = var.view(len(self._weights.running_var), -1)
        return normalized
