"""Pictures as the network sees them, and turned a little, as batches on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.pixels import normalize_pixels


def rotate(images: Tensor, *, max_degrees: float, generator: torch.Generator) -> Tensor:
    """Turn each picture about its centre by its own angle, uniform in ±``max_degrees``.

    Takes and gives (N, 28, 28) in 0–1. What comes in from outside is background, 0: turned before they are
    normalized, the corners stay black.
    """
    if max_degrees == 0:
        return images
    count = len(images)
    uniform = torch.rand(count, generator=generator, device=images.device)
    angles = (uniform * 2 - 1) * math.radians(max_degrees)
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    matrices = torch.stack((cos, -sin, zero, sin, cos, zero), dim=1).view(count, 2, 3)
    batch = images.unsqueeze(1)
    grid = F.affine_grid(matrices, list(batch.shape), align_corners=False)
    return F.grid_sample(batch, grid, padding_mode="zeros", align_corners=False).squeeze(1)


def augment(images: Tensor, *, rotation_degrees: float, generator: torch.Generator) -> Tensor:
    """A training batch: uint8 (N, 28, 28) to normalized float32 (N, 1, 28, 28), each turned at random."""
    scaled = images.float() / 255
    rotated = rotate(scaled, max_degrees=rotation_degrees, generator=generator)
    return normalize_pixels(rotated)
