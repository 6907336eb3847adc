"""Work out one set in any notation: values, sum, count, mean, squared deviations, variance, σ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from service.appendix.notation import (
    Latex,
    Notation,
    find_root,
    has_short_decimal,
    has_short_ratio,
)
from service.appendix.statistics import StatisticsSet

# Longer lists lose their middle, which would run off the page.
LISTED_VALUES = 32
ADDED_VALUES = 16
LISTED_SQUARES = 8
ADDED_SQUARES = 4


@dataclass(frozen=True)
class Step:
    """One step: its name, a sentence, and the formula in pieces between which a line may break."""

    name: str
    words: str
    pieces: tuple[str, ...]


def write_steps(one: StatisticsSet, *, notation: Notation) -> tuple[Step, ...]:
    """Work a set out in seven steps, with the middle of long lists left out."""
    return (
        _list_values(one, notation),
        _add_values(one, notation),
        _count_values(one, notation),
        _divide_sum(one, notation),
        _square_deviations(one, notation),
        _divide_squares(one, notation),
        _take_root(one, notation),
    )


def write_latex(one: StatisticsSet) -> str:
    r"""Work a set out as one LaTeX ``aligned`` block of four lines: n, μ, σ², σ.

    The middle of long sums is ``\cdots``; put the block between dollar signs to have it drawn.
    """
    tex = Latex()
    squares = [_squared_deviation(value, one.mean, tex) for value in one.values]
    lines = (
        ["n &=", _extent(one, tex), f"= {one.count}"],
        [
            rf"\mu &{tex.equals(*one.values)}",
            tex.fraction(tex.join(_plus(_terms(one.values, tex), LISTED_SQUARES, tex)), str(one.count)),
            *_quotient(one.total, one.count, tex),
        ],
        [
            rf"\sigma^2 &{tex.equals(*one.values, one.mean)}",
            tex.fraction(tex.join(_plus(squares, ADDED_SQUARES, tex)), str(one.count)),
            *_quotient(sum(one.squared_deviations, Fraction(0)), one.count, tex),
        ],
        [rf"\sigma &{tex.equals(one.variance)}", *_root(one.variance, tex)],
    )
    return r"\begin{aligned} " + r" \\ ".join(" ".join(line) for line in lines) + r" \end{aligned}"


def _list_values(one: StatisticsSet, notation: Notation) -> Step:
    order = "image by image, " * (len(one.images) > 1) + "channel by channel, " * (len(one.channels) > 1)
    words = "A single value." if one.count == 1 else f"The {one.count} values, {order}row by row."
    numbers = [notation.number(value) for value in one.values]
    return Step("values", words, _punctuate(_elide(numbers, LISTED_VALUES, notation), notation))


def _add_values(one: StatisticsSet, notation: Notation) -> Step:
    added = _plus(_terms(one.values, notation), ADDED_VALUES, notation)
    start = (notation.symbol("Σ"), notation.symbol("x"), notation.equals(*one.values), added[0])
    end = (notation.equals(one.total), notation.number(one.total))
    return Step("sum", "Add them up.", (notation.join(start), *added[1:], notation.join(end)))


def _count_values(one: StatisticsSet, notation: Notation) -> Step:
    counted = zip(
        (len(one.images), len(one.channels), *one.block), ("image", "channel", "row", "column"), strict=True
    )
    words = " × ".join(f"{count} {noun}{'s' * (count != 1)}" for count, noun in counted) + "."
    equals = notation.symbol("=")
    formula = (notation.symbol("n"), equals, _extent(one, notation), equals, notation.number(one.count))
    return Step("count", words, (notation.join(formula),))


def _divide_sum(one: StatisticsSet, notation: Notation) -> Step:
    first, *others = _quotient(one.total, one.count, notation)
    pieces = (notation.join((notation.symbol("μ"), first)), *others)
    return Step("mean", "Divide the sum by the count.", pieces)


def _square_deviations(one: StatisticsSet, notation: Notation) -> Step:
    squares = [
        notation.join(
            (
                _squared_deviation(value, one.mean, notation),
                notation.equals(value, one.mean, square),
                notation.number(square),
            )
        )
        for value, square in zip(one.values, one.squared_deviations, strict=True)
    ]
    pieces = _punctuate(_elide(squares, LISTED_SQUARES, notation), notation)
    return Step("squared deviations", "Subtract the mean from every value and square the difference.", pieces)


def _divide_squares(one: StatisticsSet, notation: Notation) -> Step:
    squares = one.squared_deviations
    added = _plus([notation.number(square) for square in squares], ADDED_SQUARES, notation)
    formula = (
        notation.square(notation.symbol("σ")),
        notation.equals(*squares),
        notation.fraction(notation.join(added), notation.number(one.count)),
    )
    pieces = (notation.join(formula), *_quotient(sum(squares, Fraction(0)), one.count, notation))
    return Step("variance", "Divide the sum of the squares by the count.", pieces)


def _take_root(one: StatisticsSet, notation: Notation) -> Step:
    formula = (notation.symbol("σ"), notation.equals(one.variance), *_root(one.variance, notation))
    return Step("standard deviation", "Take the square root of the variance.", (notation.join(formula),))


def _extent(one: StatisticsSet, notation: Notation) -> str:
    """Write images · channels · rows · columns."""
    factors = [notation.number(size) for size in (len(one.images), len(one.channels), *one.block)]
    return notation.join(_put_between(factors, notation.symbol("·")))


def _quotient(total: Fraction, count: int, notation: Notation) -> list[str]:
    """Write ``= total/count``, then the reduced ratio and the decimal if they add something."""
    value = total / count
    over = notation.fraction(notation.number(total), notation.number(count))
    pieces = [notation.join((notation.equals(total), over))]
    if value.denominator not in (1, count) and has_short_ratio(value):
        pieces.append(notation.join((notation.symbol("="), notation.ratio(value))))
    sign = notation.symbol("=" if has_short_decimal(value) else "≈")
    return [*pieces, notation.join((sign, notation.decimal(value)))]


def _root(variance: Fraction, notation: Notation) -> list[str]:
    """Write ``√variance``, then its value."""
    exact = find_root(variance)
    value = Fraction(math.sqrt(variance)) if exact is None else exact
    sign = notation.symbol("≈") if exact is None else notation.equals(variance, exact)
    return [notation.root(notation.number(variance)), sign, notation.number(value)]


def _squared_deviation(value: Fraction, mean: Fraction, notation: Notation) -> str:
    inside = (notation.number(value), notation.symbol("−"), notation.term(mean))
    return notation.square(notation.join((notation.symbol("("), *inside, notation.symbol(")"))))


def _terms(values: Sequence[Fraction], notation: Notation) -> list[str]:
    """Write a sum's terms; negative ones after the first are in brackets."""
    return [notation.number(values[0]), *(notation.term(value) for value in values[1:])]


def _plus(terms: Sequence[str], limit: int, notation: Notation) -> list[str]:
    """Write a sum in pieces: the first term, then each other with its plus sign."""
    shown = _elide(terms, limit, notation)
    return [shown[0], *(notation.join((notation.symbol("+"), term)) for term in shown[1:])]


def _elide(items: Sequence[str], limit: int, notation: Notation) -> list[str]:
    """Keep up to ``limit`` items, with dots in place of the rest of the middle."""
    if len(items) <= limit:
        return list(items)
    return [*items[: limit - 2], notation.symbol("⋯"), items[-1]]


def _punctuate(items: Sequence[str], notation: Notation) -> tuple[str, ...]:
    comma = notation.symbol(",")
    return (*(notation.join((item, comma)) for item in items[:-1]), items[-1])


def _put_between(items: Sequence[str], separator: str) -> list[str]:
    return [part for item in items for part in (separator, item)][1:]
