"""Write numbers and formulas as plain text, in LaTeX and in MathML."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from html import escape

_DECIMAL_UNIT = 10**8
MAX_FRACTION_LENGTH = 11
SIGNIFICANT_DIGITS = 6
_LATEX_COMMANDS = {
    "μ": r"\mu",
    "σ": r"\sigma",
    "Σ": r"\sum",
    "≈": r"\approx",
    "−": "-",
    "·": r"\cdot",
    "⋯": r"\cdots",
    "←": r"\leftarrow",
    "≔": ":=",
    "ε": r"\varepsilon",
    "γ": r"\gamma",
    "β": r"\beta",
}
_MATHML_IDENTIFIERS = frozenset("μσnxymsεγβ")


def has_short_decimal(value: Fraction) -> bool:
    """Return whether the decimal ends within 8 places, so that it needs no rounding."""
    return _DECIMAL_UNIT % value.denominator == 0


def has_short_ratio(value: Fraction) -> bool:
    """Return whether numerator and denominator are short enough to read."""
    return len(str(value)) <= MAX_FRACTION_LENGTH


def is_written_exactly(value: Fraction) -> bool:
    """Return whether ``Notation.number`` writes the value without rounding."""
    return has_short_decimal(value) or has_short_ratio(value)


def write_decimal(value: Fraction) -> str:
    """Write the exact decimal if it is short, else six significant digits."""
    if has_short_decimal(value):
        return f"{Decimal(value.numerator) / Decimal(value.denominator):f}"
    return f"{float(value):.{SIGNIFICANT_DIGITS}g}"


def write_minus(number: str) -> str:
    """Put the typographic minus sign in place of hyphens."""
    return number.replace("-", "−")


def find_root(value: Fraction) -> Fraction | None:
    """Find the exact square root; None if it is irrational."""
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    return Fraction(top, bottom) if (top * top, bottom * bottom) == value.as_integer_ratio() else None


class Notation(ABC):
    """A way of writing formulas: every method returns a piece that can stand inside another."""

    def number(self, value: Fraction | int) -> str:
        """Write the decimal if it is short, else the ratio if that is short, else six digits."""
        exact = Fraction(value)
        return (
            self.ratio(exact)
            if has_short_ratio(exact) and not has_short_decimal(exact)
            else self.decimal(exact)
        )

    def term(self, value: Fraction) -> str:
        """Write a number that follows an operator: in brackets if it is negative."""
        return (
            self.join((self.symbol("("), self.number(value), self.symbol(")")))
            if value < 0
            else self.number(value)
        )

    def equals(self, *written: Fraction) -> str:
        """Write an equals sign, or ≈ if one of the numbers beside it is rounded."""
        return self.symbol("=" if all(map(is_written_exactly, written)) else "≈")

    @abstractmethod
    def decimal(self, value: Fraction) -> str:
        """Write the value as ``write_decimal`` does."""

    @abstractmethod
    def ratio(self, value: Fraction) -> str:
        """Write the reduced fraction, its sign in front."""

    @abstractmethod
    def symbol(self, sign: str) -> str:
        """Write a name or an operator, given as a single Unicode character."""

    @abstractmethod
    def fraction(self, top: str, bottom: str) -> str:
        """Write top over bottom."""

    @abstractmethod
    def root(self, inside: str) -> str:
        """Write the square root."""

    @abstractmethod
    def square(self, base: str) -> str:
        """Write the square of the base."""

    @abstractmethod
    def hat(self, base: str) -> str:
        """Write the base with a circumflex, as in x̂."""

    @abstractmethod
    def subscript(self, base: str, word: str) -> str:
        """Write the base with a word below it, as in the running mean's μ."""

    @abstractmethod
    def squared_subscript(self, base: str, word: str) -> str:
        """Write the square of a base with a word below it."""

    @abstractmethod
    def join(self, parts: Iterable[str]) -> str:
        """Write the parts one after the other."""


class Latex(Notation):
    """LaTeX that KaTeX, MathJax and a GitHub page understand, without the dollar signs."""

    def decimal(self, value: Fraction) -> str:
        mantissa, _, exponent = write_decimal(value).partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def ratio(self, value: Fraction) -> str:
        return ("-" if value < 0 else "") + self.fraction(str(abs(value.numerator)), str(value.denominator))

    def symbol(self, sign: str) -> str:
        return _LATEX_COMMANDS.get(sign, sign)

    def fraction(self, top: str, bottom: str) -> str:
        return rf"\frac{{{top}}}{{{bottom}}}"

    def root(self, inside: str) -> str:
        return rf"\sqrt{{{inside}}}"

    def square(self, base: str) -> str:
        return f"{base}^2"

    def hat(self, base: str) -> str:
        return rf"\hat{{{base}}}"

    def subscript(self, base: str, word: str) -> str:
        return rf"{base}_{{\text{{{word}}}}}"

    def squared_subscript(self, base: str, word: str) -> str:
        return self.square(self.subscript(base, word))

    def join(self, parts: Iterable[str]) -> str:
        return " ".join(parts).replace("( ", "(").replace(" )", ")").replace(" ,", ",")


class MathMl(Notation):
    """MathML Core, which browsers draw without a script; pieces belong inside a ``<math>`` element."""

    def decimal(self, value: Fraction) -> str:
        mantissa, _, exponent = write_decimal(abs(value)).partition("e")
        power = f"<mo>·</mo><msup><mn>10</mn><mn>{int(exponent)}</mn></msup>" if exponent else ""
        return self._sign(value, f"<mn>{mantissa}</mn>{power}")

    def ratio(self, value: Fraction) -> str:
        return self._sign(
            value, self.fraction(f"<mn>{abs(value.numerator)}</mn>", f"<mn>{value.denominator}</mn>")
        )

    def symbol(self, sign: str) -> str:
        if sign in _MATHML_IDENTIFIERS:
            return f"<mi>{sign}</mi>"
        # A line may break before a plus, which then opens its formula without being a sign.
        if sign == "+":
            return '<mo form="infix">+</mo>'
        # Stretched brackets would vary in height from term to term.
        return f'<mo stretchy="false">{sign}</mo>' if sign in "()" else f"<mo>{escape(sign)}</mo>"

    def fraction(self, top: str, bottom: str) -> str:
        return f"<mfrac><mrow>{top}</mrow><mrow>{bottom}</mrow></mfrac>"

    def root(self, inside: str) -> str:
        return f"<msqrt>{inside}</msqrt>"

    def square(self, base: str) -> str:
        return f"<msup><mrow>{base}</mrow><mn>2</mn></msup>"

    def hat(self, base: str) -> str:
        return f'<mover accent="true"><mrow>{base}</mrow><mo stretchy="false">^</mo></mover>'

    def subscript(self, base: str, word: str) -> str:
        return f"<msub><mrow>{base}</mrow><mtext>{word}</mtext></msub>"

    def squared_subscript(self, base: str, word: str) -> str:
        return f"<msubsup><mrow>{base}</mrow><mtext>{word}</mtext><mn>2</mn></msubsup>"

    def join(self, parts: Iterable[str]) -> str:
        return "".join(parts)

    def _sign(self, value: Fraction, unsigned: str) -> str:
        return f'<mrow><mo form="prefix">−</mo>{unsigned}</mrow>' if value < 0 else unsigned


def write_math(inside: str, *, is_display: bool = False) -> str:
    """Write a piece of MathML as a ``<math>`` element, in text size or in display size."""
    display = ' displaystyle="true"' if is_display else ""
    return f"<math{display}><mrow>{inside}</mrow></math>"
