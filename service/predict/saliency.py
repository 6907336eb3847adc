"""Saliency: the share of each pixel in a prediction."""

import torch
from torch import Tensor, nn

from lab.datasets.pixels import normalize_pixels

# Steps along the path from black to the picture; with these the sum is off by about one percent.
NUM_STEPS = 32


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
