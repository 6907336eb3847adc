import math

import pytest
import torch
from torch import Tensor

from lab.datasets.pixels import normalize_pixels
from worker.training.augmentation import augment, distort


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


def measure_place(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """How far each picture's centre of mass lies to the right of the centre, and below it, in pixels."""
    places, mass = torch.arange(28.0) - 13.5, pictures.sum(dim=(1, 2))
    return (pictures.sum(dim=1) * places).sum(dim=1) / mass, (pictures.sum(dim=2) * places).sum(dim=1) / mass


class TestDistort:
    def test_no_degrees_change_nothing_and_draw_nothing(self) -> None:
        generator = seeded()
        before = generator.get_state()
        images = torch.rand(3, 28, 28, generator=seeded(1))
        assert torch.equal(distort(images, rotation_degrees=0, generator=generator), images)
        assert torch.equal(generator.get_state(), before)

    def test_a_quarter_turn_is_a_quarter_turn(self) -> None:
        turned = distort(make_blobs(4_000), rotation_degrees=90, generator=seeded())
        angles = measure_angles(turned)
        # Of 4,000 draws the outermost come within a tenth of a degree of ±90.
        left, right = turned[angles.argmax()], turned[angles.argmin()]
        blob = make_blobs(1)[0]
        torch.testing.assert_close(left, torch.rot90(blob, 1), atol=0.02, rtol=0)
        torch.testing.assert_close(right, torch.rot90(blob, -1), atol=0.02, rtol=0)

    def test_turns_as_torchvision_does(self) -> None:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.functional import rotate

        picture = make_blobs(1)
        turned = distort(picture, rotation_degrees=30, generator=seeded(2))
        angle = float(measure_angles(turned)[0])
        expected = rotate(picture, angle, interpolation=InterpolationMode.BILINEAR)
        assert abs(angle) > 5
        torch.testing.assert_close(turned, expected, atol=0.01, rtol=0)

    def test_angles_are_each_pictures_own_and_uniform(self) -> None:
        angles = measure_angles(distort(make_blobs(4_000), rotation_degrees=20, generator=seeded()))
        assert angles.abs().max() <= 20.1
        assert angles.unique().numel() > 3_900
        # Five standard errors of the mean, and a share of 1/4 in each quarter of the range.
        assert abs(float(angles.mean())) < 5 * 20 / math.sqrt(3 * 4_000)
        quarters = torch.histc(angles, bins=4, min=-20.1, max=20.1) / 4_000
        torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.035, rtol=0)

    def test_what_comes_in_from_outside_is_black(self) -> None:
        turned = distort(torch.ones(50, 28, 28), rotation_degrees=45, generator=seeded())
        most = turned[turned.sum(dim=(1, 2)).argmin()]
        for row in (0, -1):
            for column in (0, -1):
                assert most[row, column] == 0
        assert torch.allclose(turned[:, 10:18, 10:18], torch.ones(1))
        assert turned.min() >= 0
        assert turned.max() <= 1 + 1e-6

    def test_moves_in_all_directions_uniformly(self) -> None:
        moved = distort(make_blobs(4_000), rotation_degrees=0, translation_pixels=2, generator=seeded())
        right, down = (
            measured - before for measured, before in zip(measure_place(moved), (8, 0), strict=True)
        )
        for way in (right, down):
            assert way.abs().max() == pytest.approx(2, abs=0.05)
            assert abs(float(way.mean())) < 5 * 2 / math.sqrt(3 * 4_000)
        assert abs(float(torch.corrcoef(torch.stack((right, down)))[0, 1])) < 5 / math.sqrt(4_000)

    def test_scales_about_the_centre(self) -> None:
        scaled = distort(make_blobs(4_000), rotation_degrees=0, scaling_percent=10, generator=seeded())
        right, down = measure_place(scaled)
        assert (right / 8).min() == pytest.approx(0.9, abs=0.005)
        # A little of the largest falls out of the picture.
        assert (right / 8).max() == pytest.approx(1.1, abs=0.01)
        torch.testing.assert_close(down, torch.zeros(4_000), atol=0.01, rtol=0)

    def test_all_at_once_is_as_torchvision_does(self) -> None:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.functional import affine

        picture = make_blobs(1)
        distorted = distort(
            picture,
            rotation_degrees=30.0,
            translation_pixels=3.0,
            scaling_percent=20.0,
            generator=seeded(5),
        )
        # The numbers drawn, in the order of angle, factor, right, down.
        drawn = torch.cat([torch.rand(1, generator=generator) for generator in [seeded(5)] for _ in range(4)])
        angle, factor, right, down = ((drawn * 2 - 1) * torch.tensor([30.0, 0.2, 3.0, 3.0])).tolist()

        expected = affine(
            picture,
            angle=-angle,
            translate=[0, 0],
            scale=1 + factor,
            shear=[0.0],
            interpolation=InterpolationMode.BILINEAR,
        )
        ways = [measure_place(each) for each in (distorted, expected)]
        assert float(ways[0][0] - ways[1][0]) == pytest.approx(right, abs=0.02)
        assert float(ways[0][1] - ways[1][1]) == pytest.approx(down, abs=0.02)

    def test_nearest_pixels_are_as_torchvision_does_by_default(self) -> None:
        from torchvision.transforms.functional import rotate

        picture = torch.rand(1, 28, 28, generator=seeded())
        turned = distort(picture, rotation_degrees=30.0, interpolation="nearest", generator=seeded(5))
        angle = float(torch.rand(1, generator=seeded(5)) * 2 - 1) * 30

        assert torch.equal(turned, rotate(picture, angle))
        assert set(turned.unique().tolist()) <= {0.0, *picture.unique().tolist()}

    def test_generator_alone_decides(self) -> None:
        before = torch.get_rng_state()
        images = make_blobs(5)
        first, again, other = (distort(images, rotation_degrees=10, generator=seeded(s)) for s in (1, 1, 2))
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
