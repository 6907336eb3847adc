"""Normalize 28×28 pixels as every network was trained on them."""

from torch import Tensor

# Mean and standard deviation of MNIST's training pixels, used for every data set so that a picture
# means the same to every network.
PIXEL_MEAN = 0.1307
PIXEL_STD = 0.3081


def normalize_pixels(images: Tensor) -> Tensor:
    """Float pictures (N, 28, 28) in 0–1 to the networks' input (N, 1, 28, 28)."""
    return ((images - PIXEL_MEAN) / PIXEL_STD).unsqueeze(1)
