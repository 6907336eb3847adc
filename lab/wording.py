"""Numbers and lists in words: shared by tables, warnings and verdicts."""

from collections.abc import Sequence


def join_words(words: Sequence[str]) -> str:
    """Join words with commas, and the last with “and”."""
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]


def count_words(number: int, noun: str) -> str:
    """Count a regular noun: “1 seed”, “2 seeds”."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_percent(fraction: float | None) -> str:
    """A fraction as a percentage with two decimals and no sign: “99.15”; a dash for None."""
    return "–" if fraction is None else f"{fraction * 100:.2f}"


def format_points(fraction: float) -> str:
    """The size of a difference in percentage points, with as many digits as it takes to see one."""
    points = abs(fraction) * 100
    return f"{points:.2f}" if points >= 0.01 or points == 0 else f"{points:.1g}"


def format_signed_points(fraction: float) -> str:
    """A difference in percentage points with its sign: “+0.42”, “−1.03”."""
    return f"{100 * fraction:+.2f}".replace("-", "−")


def describe_duration(seconds: float) -> str:
    """A duration, roughly: “40 seconds”, “5 minutes”, “2 hours”."""
    for unit, length in (("hour", 3_600), ("minute", 60)):
        if seconds >= 1.5 * length:
            return count_words(round(seconds / length), unit)
    return count_words(max(1, round(seconds)), "second")
