"""Pictures as the network sees them, and turned, moved and scaled a little, as batches on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.datasets.pixels import normalize_pixels
from lab.experiments.configs import Interpolation


def distort(
    images: Tensor,
    *,
    rotation_degrees: float,
    translation_pixels: float = 0.0,
    scaling_percent: float = 0.0,
    interpolation: Interpolation = "bilinear",
    generator: torch.Generator,
) -> Tensor:
    """Turn each picture about its centre, scale and move it, each by its own amounts.

    They are uniform: the angle in ±``rotation_degrees``, the factor within ``scaling_percent`` of 1, the way
    right and down in ±``translation_pixels``. Takes and gives (N, 28, 28) in 0–1. What comes in from outside
    is background, 0: done before pictures are normalized, the corners stay black.
    """
    if not (rotation_degrees or translation_pixels or scaling_percent):
        return images

    def draw(limit: float) -> Tensor:
        if limit == 0:
            return torch.zeros(len(images), device=images.device)
        uniform = torch.rand(len(images), generator=generator, device=images.device)
        return (uniform * 2 - 1) * limit

    angles, factors = draw(math.radians(rotation_degrees)), 1 + draw(scaling_percent / 100)
    # The grid says where a pixel of the answer comes from, in halves of a picture's side.
    side = images.shape[-1]
    right, down = (-draw(2 * translation_pixels / side) for _ in range(2))
    cos, sin = angles.cos() / factors, angles.sin() / factors
    moved = (cos * right - sin * down, sin * right + cos * down)
    matrices = torch.stack((cos, -sin, moved[0], sin, cos, moved[1]), dim=1).view(len(images), 2, 3)
    batch = images.unsqueeze(1)
    grid = F.affine_grid(matrices, list(batch.shape), align_corners=False)
    sampled = F.grid_sample(batch, grid, mode=interpolation, padding_mode="zeros", align_corners=False)
    return sampled.squeeze(1)


def augment(
    images: Tensor,
    *,
    rotation_degrees: float,
    translation_pixels: float = 0.0,
    scaling_percent: float = 0.0,
    interpolation: Interpolation = "bilinear",
    generator: torch.Generator,
) -> Tensor:
    """A training batch: uint8 (N, 28, 28) to normalized float32 (N, 1, 28, 28), each distorted at random."""
    distorted = distort(
        images.float() / 255,
        rotation_degrees=rotation_degrees,
        translation_pixels=translation_pixels,
        scaling_percent=scaling_percent,
        interpolation=interpolation,
        generator=generator,
    )
    return normalize_pixels(distorted)
