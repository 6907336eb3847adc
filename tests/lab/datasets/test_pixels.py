import torch

from lab.datasets.pixels import normalize_pixels


def test_pictures_become_one_channel_of_mean_zero_and_deviation_one() -> None:
    images = torch.stack((torch.zeros(28, 28), torch.full((28, 28), 0.1307), torch.ones(28, 28)))
    normalized = normalize_pixels(images)
    assert normalized.shape == (3, 1, 28, 28)
    # Black, MNIST's mean grey, and white, in MNIST's standard deviations from its mean.
    torch.testing.assert_close(normalized[:, 0, 5, 5], torch.tensor([-0.42421, 0.0, 2.82149]))
