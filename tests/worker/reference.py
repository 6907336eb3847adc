"""The study's training written out plainly in PyTorch, in float64 or float32, to hold the engines against.

It shares with the worker the initial weights and the order of the images, and no code; it knows no dropout
and no distortion of images.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.datasets.load import Dataset, ImageSet
from lab.experiments.configs import STUDY_L2, RunConfig
from lab.networks.build import build_network

EPS = 1e-5
BLOCKS = (1, 3, 4, 6, 7, 9, 10)
PADDED = (4, 7)

Named = dict[str, Tensor]
Pool = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Trained:
    """Parameters and running statistics by name after the last step.

    Of each epoch, its first learning rate and the test loss after it.
    """

    parameters: Named
    running: Named
    learning_rates: list[float]
    test_losses: list[float]


def pool_max(x: Tensor) -> Tensor:
    """The network's max pool, 2×2."""
    return F.max_pool2d(x, 2)


def read_initial(config: RunConfig) -> Named:
    """The parameters by name before the first step, float32."""
    return {name: parameter.detach() for name, parameter in build_network(config).named_parameters()}


def train_plainly(
    config: RunConfig,
    data: Dataset,
    *,
    dtype: torch.dtype,
    initial: Named | None = None,
    pool: Pool = pool_max,
) -> Trained:
    """Train by SGD with momentum on cross-entropy + λ1·Σ|w| + λ2·Σw², from ``initial`` or as seeded."""
    parameters = {name: tensor.to(dtype) for name, tensor in (initial or read_initial(config)).items()}
    running: Named = {}
    velocity = {name: torch.zeros_like(tensor) for name, tensor in parameters.items()}
    steps_per_epoch = math.ceil(len(data.train) / config.batch_size)
    rates: list[float] = []
    losses: list[float] = []
    for epoch in range(config.epochs):
        order = draw_order(config.seed, epoch + 1, len(data.train))
        for step, indices in enumerate(order.split(config.batch_size), start=epoch * steps_per_epoch):
            rate = compute_rate(config, step, config.epochs * steps_per_epoch, losses=losses)
            rates.append(rate)
            batch = ImageSet(data.train.images[indices], data.train.labels[indices])
            leaves = {name: tensor.detach().requires_grad_() for name, tensor in parameters.items()}
            loss = compute_loss(config, leaves, running, batch, is_training=True, pool=pool)
            loss = loss + compute_penalty(config, leaves)
            gradients = torch.autograd.grad(loss, list(leaves.values()))
            for name, gradient in zip(leaves, gradients, strict=True):
                velocity[name] = config.momentum * velocity[name] + gradient
                parameters[name] = parameters[name] - rate * velocity[name]
        with torch.no_grad():
            loss = compute_loss(config, parameters, running, data.test, is_training=False, pool=pool_max)
        losses.append(loss.item())
    return Trained(parameters, running, rates[::steps_per_epoch], losses)


def draw_order(seed: int, epoch: int, num_images: int) -> Tensor:
    """The order of an epoch's images, epochs counted from 1."""
    digest = hashlib.blake2b(f"{seed}/{epoch}/0".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little", signed=True))
    return torch.randperm(num_images, generator=generator)


def compute_rate(config: RunConfig, step: int, num_steps: int, *, losses: Sequence[float]) -> float:
    """The learning rate of a step, counted from 0, after epochs with these test losses."""
    if config.schedule == "onecycle":
        return compute_one_cycle_rate(step, num_steps, peak=config.learning_rate)
    if config.schedule == "plateau":
        return compute_plateau_rate(losses, start=config.learning_rate)
    return config.learning_rate


def compute_one_cycle_rate(step: int, num_steps: int, *, peak: float) -> float:
    """Half a cosine up from peak/25 over the first 30 % of the steps, another one down to peak/250,000."""
    start, end, top = peak / 25, peak / 250_000, 0.3 * num_steps - 1
    if step <= top:
        return peak + (start - peak) * (1 + math.cos(math.pi * step / top)) / 2
    return end + (peak - end) * (1 + math.cos(math.pi * (step - top) / (num_steps - 1 - top))) / 2


def compute_plateau_rate(losses: Sequence[float], *, start: float) -> float:
    """×0.8 after two epochs in a row that are not better than the best by 0.1 %, never below 1e-4."""
    rate, best, num_bad = start, math.inf, 0
    for loss in losses:
        is_better = loss < best * (1 - 1e-3)
        best, num_bad = (loss, 0) if is_better else (best, num_bad + 1)
        if num_bad == 2:
            rate, num_bad = max(rate * 0.8, 1e-4), 0
    return rate


def compute_penalty(config: RunConfig, parameters: Named) -> Tensor:
    """λ1·Σ|w| + λ2·Σw² over all parameters, or over the convolutions'."""
    penalized = [p for name, p in parameters.items() if config.penalize == "all" or name.startswith("conv")]
    return torch.stack([config.l1 * p.abs().sum() + config.l2 * (p * p).sum() for p in penalized]).sum()


def compute_loss(
    config: RunConfig,
    parameters: Named,
    running: Named,
    image_set: ImageSet,
    *,
    is_training: bool,
    pool: Pool,
) -> Tensor:
    """Mean cross-entropy; in training, ``running`` statistics of batch normalization move on."""
    pixels = image_set.images.unsqueeze(1).to(parameters["conv1.weight"].dtype) / 255
    x = (pixels - 0.1307) / 0.3081
    groups = iter(config.num_groups)
    for number in range(1, 12):
        if number == 5:
            x = pool(x)
        if number == 11:
            x = F.avg_pool2d(x, 6)
        x = F.conv2d(x, parameters[f"conv{number}.weight"], padding=int(number in PADDED))
        if number not in BLOCKS:
            continue
        match config.normalization:
            case "batch":
                x = normalize_batch(x, running, number, is_training=is_training)
            case "group":
                x = standardize(x.unflatten(1, (next(groups), -1)), (2, 3, 4)).flatten(1, 2)
            case "layer":
                x = standardize(x, (1, 2, 3))
            case "instance":
                x = standardize(x, (2, 3))
        if f"norm{number}.weight" in parameters:
            gamma, beta = (parameters[f"norm{number}.{name}"] for name in ("weight", "bias"))
            # Layer normalization has a γ and β for each element, the others for each channel.
            shape = gamma.shape if config.normalization == "layer" else (-1, 1, 1)
            x = x * gamma.view(shape) + beta.view(shape)
        x = F.relu(x)
    return F.cross_entropy(x.flatten(1), image_set.labels)


def standardize(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """(x - μ) / √(σ² + ε), with the statistics over ``dims``."""
    deviations = x - x.mean(dims, keepdim=True)
    return deviations / (deviations.square().mean(dims, keepdim=True) + EPS).sqrt()


def normalize_batch(x: Tensor, running: Named, number: int, *, is_training: bool) -> Tensor:
    """By the batch's statistics in training, of which the running ones take a tenth; else by those."""
    channels = x.shape[1]
    mean = running.get(f"norm{number}.running_mean", torch.zeros(channels, dtype=x.dtype))
    var = running.get(f"norm{number}.running_var", torch.ones(channels, dtype=x.dtype))
    if not is_training:
        return (x - mean.view(-1, 1, 1)) / (var.view(-1, 1, 1) + EPS).sqrt()
    running[f"norm{number}.running_mean"] = 0.9 * mean + 0.1 * x.detach().mean((0, 2, 3))
    # Unbiased, unlike the variance that the batch is normalized by.
    running[f"norm{number}.running_var"] = 0.9 * var + 0.1 * x.detach().var((0, 2, 3), correction=1)
    return standardize(x, (0, 2, 3))


def measure_stray(ours: Named, theirs: Named, *, start: Named) -> float:
    """The distance of ours from theirs, as a share of the way that theirs have moved from the start."""

    def measure(first: Named, second: Named) -> float:
        return math.hypot(*(float((first[name].double() - second[name].double()).norm()) for name in start))

    return measure(ours, theirs) / measure(theirs, start)


class SwappedPool:
    """The max pool; in one call, one window passes on its second largest pixel in place of its largest."""

    def __init__(self, *, call: int, window: int) -> None:
        """Calls are counted from 1, windows from 0."""
        self._remaining = call
        self._window = window
        self.difference = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        pooled = pool_max(x)
        self._remaining -= 1
        if self._remaining != 0:
            return pooled
        windows = x.unfold(2, 2, 2).unfold(3, 2, 2).reshape(-1, 4)
        first, second = windows[self._window].topk(2).values
        self.difference = (first - second).item()
        swapped = pooled.flatten().index_copy(0, torch.tensor([self._window]), second.view(1))
        return swapped.view_as(pooled)


def take_seventy(digits: Dataset) -> Dataset:
    """Three batches of ``CHAOTIC``: 32, 32 and 6 images."""
    return replace(digits, train=ImageSet(digits.train.images[:70], digits.train.labels[:70]))


# Large steps on few images. In the second step, two pixels of one window are less than 2e-6 apart,
# and which of them passes for the larger moves the weights by a quarter of their way in the end.
CHAOTIC = RunConfig(
    dataset="digits",
    normalization="batch",
    affine=False,
    l2=STUDY_L2,
    schedule="constant",
    epochs=2,
    batch_size=32,
    dropout=0.0,
    rotation_degrees=0.0,
    seed=3,
)
CHAOTIC_DECISION = {"call": 2, "window": 44_309}
