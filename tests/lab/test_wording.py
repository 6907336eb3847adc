"""Durations in words."""

import pytest

from lab.wording import describe_duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (2_400, "40 minutes"),
        (5_399, "90 minutes"),
        (7_200, "2 hours"),
    ],
)
def test_durations_are_rounded_to_one_unit(seconds: float, words: str) -> None:
    assert describe_duration(seconds) == words
