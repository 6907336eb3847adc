"""Numbers and lists in the words of tables, warnings and verdicts."""

from collections.abc import Sequence


def join_words(words: Sequence[str]) -> str:
    """Words in a row, with an “and” before the last."""
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]


def format_points(value: float) -> str:
    """A fraction as percentage points without its sign; a digit is shown however small it is."""
    points = abs(value) * 100
    return f"{points:.2f}" if points >= 0.01 or points == 0 else f"{points:.1g}"


def count_words(number: int, noun: str) -> str:
    """So many of something that takes an s: 1 seed, 2 seeds."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
