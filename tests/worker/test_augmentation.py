import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import rotate as rotate_by_torchvision

from lab.pixels import normalize_pixels
from worker.augmentation import augment, rotate


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_blobs(count: int) -> Tensor:
    """The same soft blob right of the middle, 8 pixels off, in every picture."""
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    blob = torch.exp(-((rows - 13.5) ** 2 + (columns - 21.5) ** 2) / 8)
    return blob.expand(count, 28, 28).clone()


def measure_angles(pictures: Tensor) -> Tensor:
    """Where each picture's mass lies, in degrees about the centre, anticlockwise from the right."""
    places = torch.arange(28.0) - 13.5
    right = (pictures.sum(dim=1) * places).sum(dim=1)
    down = (pictures.sum(dim=2) * places).sum(dim=1)
    return torch.rad2deg(torch.atan2(-down, right))


class TestRotate:
    def test_no_degrees_change_nothing_and_draw_nothing(self) -> None:
        generator = seeded()
        before = generator.get_state()
        images = torch.rand(3, 28, 28, generator=seeded(1))
        assert torch.equal(rotate(images, max_degrees=0, generator=generator), images)
        assert torch.equal(generator.get_state(), before)

    def test_a_quarter_turn_is_a_quarter_turn(self) -> None:
        turned = rotate(make_blobs(4_000), max_degrees=90, generator=seeded())
        angles = measure_angles(turned)
        # Of 4,000 draws the outermost come within a tenth of a degree of ±90.
        left, right = turned[angles.argmax()], turned[angles.argmin()]
        blob = make_blobs(1)[0]
        torch.testing.assert_close(left, torch.rot90(blob, 1), atol=0.02, rtol=0)
        torch.testing.assert_close(right, torch.rot90(blob, -1), atol=0.02, rtol=0)

    def test_turns_as_torchvision_does(self) -> None:
        picture = make_blobs(1)
        turned = rotate(picture, max_degrees=30, generator=seeded(2))
        angle = float(measure_angles(turned)[0])
        expected = rotate_by_torchvision(picture, angle, interpolation=InterpolationMode.BILINEAR)
        assert abs(angle) > 5
        torch.testing.assert_close(turned, expected, atol=0.01, rtol=0)

    def test_angles_are_each_pictures_own_and_uniform(self) -> None:
        angles = measure_angles(rotate(make_blobs(4_000), max_degrees=20, generator=seeded()))
        assert angles.abs().max() <= 20.1
        assert angles.unique().numel() > 3_900
        # Five standard errors of the mean, and a share of 1/4 in each quarter of the range.
        assert abs(float(angles.mean())) < 5 * 20 / math.sqrt(3 * 4_000)
        quarters = torch.histc(angles, bins=4, min=-20.1, max=20.1) / 4_000
        torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.035, rtol=0)

    def test_what_comes_in_from_outside_is_black(self) -> None:
        turned = rotate(torch.ones(50, 28, 28), max_degrees=45, generator=seeded())
        most = turned[turned.sum(dim=(1, 2)).argmin()]
        for row in (0, -1):
            for column in (0, -1):
                assert most[row, column] == 0
        assert torch.allclose(turned[:, 10:18, 10:18], torch.ones(1))
        assert turned.min() >= 0
        assert turned.max() <= 1 + 1e-6

    def test_generator_alone_decides(self) -> None:
        before = torch.get_rng_state()
        images = make_blobs(5)
        first, again, other = (rotate(images, max_degrees=10, generator=seeded(s)) for s in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert torch.equal(torch.get_rng_state(), before)


class TestAugment:
    def test_without_rotation_is_the_normalized_picture(self) -> None:
        images = torch.randint(0, 256, (4, 28, 28), generator=seeded()).to(torch.uint8)
        batch = augment(images, rotation_degrees=0, generator=seeded())
        assert batch.dtype == torch.float32
        assert torch.equal(batch, normalize_pixels(images.float() / 255))

    @pytest.mark.parametrize("degrees", [6.9, 45.0])
    def test_corners_are_black_and_not_grey(self, degrees: float) -> None:
        white = torch.full((30, 28, 28), 255, dtype=torch.uint8)
        batch = augment(white, rotation_degrees=degrees, generator=seeded())
        black = normalize_pixels(torch.zeros(1, 1, 1)).item()
        assert batch.min() == pytest.approx(black)
        assert batch[:, 0, 0, 0].min() == pytest.approx(black)

    def test_pictures_given_are_left_as_they_are(self) -> None:
        images = torch.randint(0, 256, (4, 28, 28), generator=seeded()).to(torch.uint8)
        copy = images.clone()
        augment(images, rotation_degrees=10, generator=seeded())
        assert torch.equal(images, copy)
