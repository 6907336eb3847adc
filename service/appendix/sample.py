"""The sample of the study's appendix: four images of four 2×2 channels."""

from fractions import Fraction
from itertools import product

from service.appendix.tensor import Pixels, Sample

CHANNEL_NAMES = ("blue", "green", "yellow", "brown")

# One row per image, one column per channel. The study prints image 1 and the blue channel only.
_BLOCKS = (
    ((-3, -2, 1, -1), (2, -2, 2, 1), (3, -3, 2, 0), (2, 0, 3, -3)),
    ((-1, 2, -1, 2), (1, 0, -2, 3), (0, -1, -1, -3), (-2, 1, 3, 1)),
    ((-3, 1, 0, 3), (0, -1, 3, -3), (1, 3, -2, 1), (3, -1, 0, 0)),
    ((3, -3, -1, -3), (-2, 3, 2, 0), (2, -1, -2, -2), (-1, 0, 2, 1)),
)

_NOTES = (
    "Group norm, image 1, blue + green: the study prints a mean of 0.25 and a spread of 2.938. The eight "
    "values add up to −2, so the mean is −0.25 (the study has the wrong sign), the variance is 3.4375 and "
    "σ is 1.85405. The study writes 16 where 2·2·2 = 8 values belong, and its 2.938 is neither the variance "
    "nor σ.",
    "Yet 0.25 and 2.938 fit each other. Eight integers with sum 2 whose squares add up to 24, such as 3, 2, "
    "−2, −2, 1, 1, −1 and 0, have a mean of 0.25 and a variance of 24/8 − (2/8)² = 47/16 = 2.9375. So both "
    "figures probably belong to another group of the lost picture, its variance printed as σ. That cannot be "
    "checked: sixteen integers with sum 4 and squares adding up to 48 fit as well, and so would the eight "
    "values here if the sign of their sum and 4 of the 28 in their squares were lost.",
    "Batch norm, blue, and layer norm, image 1: the study prints −0.375 with √4.359 and 0.125 with √4.484. "
    "Both agree with the numbers here.",
    "The study prints the blue channel of all four images and all four channels of image 1. The other 36 "
    "pixels are not in its text; small integers are filled in for them and marked, and every set that "
    "contains one is an illustration, not the study's.",
    "The study lists each 2×2 block as four numbers. They are read row by row here; no statistic depends "
    "on it.",
)


def _square(block: tuple[int, int, int, int]) -> tuple[tuple[Fraction, ...], ...]:
    a, b, c, d = (Fraction(value) for value in block)
    return (a, b), (c, d)


_PIXELS: Pixels = tuple(tuple(_square(block) for block in image) for image in _BLOCKS)

STUDY_SAMPLE = Sample(
    pixels=_PIXELS,
    channel_names=CHANNEL_NAMES,
    filled_in=frozenset(product((1, 2, 3), (1, 2, 3), (0, 1), (0, 1))),
    notes=_NOTES,
)
