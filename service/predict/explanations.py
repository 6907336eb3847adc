"""Explanations of a prediction: the share of each pixel, or of each region, and their picture."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from lab.datasets.pixels import normalize_pixels
from service.predict.requests import Explanation

# Steps along the path from black to the picture; with these the sum is off by about one percent.
NUM_STEPS = 32
OVERLAY_SCALE = 8
# Red speaks for the digit, blue against it.
FOR_COLOR, AGAINST_COLOR = (230, 70, 40), (50, 120, 230)


def compute_saliency(network: nn.Module, picture: Tensor, *, digit: int) -> Tensor:
    """Compute each pixel's share in the network's log-probability of ``digit``.

    Integrated gradients from a black picture (Sundararajan, Taly & Yan 2017): the gradient of the digit's
    log-probability, averaged over pictures that brighten from black to ``picture``, times the pixel. The
    numbers add up to the log-probability of ``digit`` minus that of a black picture: above 0 speaks for the
    digit, below 0 against it, and a black pixel has 0.

    Takes one picture (28, 28), floats 0–1, and a network in eval mode; gives (28, 28).
    """
    # Midpoints, so that the sum is the integral's midpoint rule.
    brightness = (torch.arange(NUM_STEPS) + 0.5) / NUM_STEPS
    path = (brightness.view(-1, 1, 1) * picture).requires_grad_()
    log_probabilities = network(normalize_pixels(path))[:, digit]
    (gradients,) = torch.autograd.grad(log_probabilities.sum(), path)
    return picture * gradients.mean(dim=0)


def compute_gradcam(network: nn.Sequential, picture: Tensor, *, digit: int) -> Tensor:
    """Compute how much each region speaks for ``digit``, 0–1, by Grad-CAM (Selvaraju et al. 2017, eq. 1–2).

    The last feature maps before the global pooling, weighted by the mean gradient of the digit's score before
    the softmax, summed, cut at 0 and enlarged. Takes and gives what ``compute_saliency`` does.
    """
    layers = list(network.children())
    last_pool = max(place for place, layer in enumerate(layers) if isinstance(layer, nn.AvgPool2d))
    features = network[:last_pool](normalize_pixels(picture.unsqueeze(0))).detach().requires_grad_()
    score = network[last_pool:-1](features)[0, digit]
    (gradients,) = torch.autograd.grad(score, features)
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    regions = F.relu((weights * features).sum(dim=1, keepdim=True)).detach()
    enlarged = F.interpolate(regions, size=picture.shape, mode="bilinear", align_corners=False)[0, 0]
    return enlarged / enlarged.max().clamp(min=1e-12)


def draw_explanation(
    network: nn.Sequential, picture: Tensor, *, digit: int, method: Explanation
) -> NDArray[np.uint8]:
    """Draw the explanation over the picture (28, 28): RGB, ``OVERLAY_SCALE`` times as large."""
    compute = compute_gradcam if method == "gradcam" else compute_saliency
    shares = compute(network, picture, digit=digit)
    strength = (shares / shares.abs().max().clamp(min=1e-12)).numpy()[..., None]
    gray = picture.numpy()[..., None] * 255 * 0.6
    color = np.where(strength >= 0, FOR_COLOR, AGAINST_COLOR)
    blended = gray * (1 - np.abs(strength)) + color * np.abs(strength)
    small = Image.fromarray(np.clip(np.round(blended), 0, 255).astype(np.uint8))
    side = OVERLAY_SCALE * small.width
    return np.asarray(small.resize((side, side), Image.Resampling.NEAREST))
