"""Work one value through a normalization, in training and at inference, in any notation."""

import math
from dataclasses import dataclass
from fractions import Fraction

from service.appendix.inference import MOMENTUM, START_MEAN, START_VARIANCE, RunningStatistics
from service.appendix.layer import LayerValue, follow_first_value
from service.appendix.notation import Notation, find_root, write_decimal, write_minus
from service.appendix.statistics import Appendix, StatisticsSet
from service.appendix.working import Step


@dataclass(frozen=True)
class _Quantity:
    """A number and the sign that stands for it."""

    sign: str
    value: Fraction


def write_formulas(notation: Notation) -> tuple[str, str]:
    """Write x̂ = (x − μ)/√(σ² + ε) and y = γx̂ + β."""
    variance = notation.square(notation.symbol("σ"))
    return _write_standardization(notation.symbol("μ"), variance, notation), _write_scaling(notation)


def write_layer_steps(appendix: Appendix, one: StatisticsSet, *, notation: Notation) -> tuple[Step, ...]:
    """Normalize the first value of a set in two steps, x̂ and y."""
    followed = follow_first_value(appendix, one)
    words = f"The value at {followed.place}: subtract the mean, divide by the root of variance plus ε."
    formula, _ = write_formulas(notation)
    return _standardize(followed, words, formula, notation), _scale(followed, notation)


def write_inference_steps(
    appendix: Appendix, running: RunningStatistics, *, notation: Notation
) -> tuple[Step, ...]:
    """Update a channel's running statistics by its batch, then normalize its first value by them."""
    sign, one = notation.symbol, running.batch
    mean = notation.subscript(sign("μ"), "run")
    variance = notation.squared_subscript(sign("σ"), "run")
    followed = follow_first_value(appendix, running)
    return (
        _correct_bias(running, notation),
        _move(
            "running mean",
            f"It starts at {START_MEAN}; each batch moves it toward the batch's mean by m = "
            f"{write_decimal(MOMENTUM)}, the momentum.",
            running=_Quantity(mean, START_MEAN),
            batch=_Quantity(sign("μ"), one.mean),
            notation=notation,
        ),
        _move(
            "running variance",
            f"It starts at {START_VARIANCE} and moves toward s² in the same way.",
            running=_Quantity(variance, START_VARIANCE),
            batch=_Quantity(notation.square(sign("s")), running.unbiased_variance),
            notation=notation,
        ),
        _standardize(
            followed,
            f"The value at {followed.place} in eval mode: the running statistics replace the batch's.",
            _write_standardization(mean, variance, notation),
            notation,
        ),
        _scale(followed, notation),
    )


def _write_standardization(mean: str, variance: str, notation: Notation) -> str:
    sign = notation.symbol
    top = notation.join((sign("x"), sign("−"), mean))
    root = notation.root(notation.join((variance, sign("+"), sign("ε"))))
    return notation.join((notation.hat(sign("x")), sign("="), notation.fraction(top, root)))


def _write_scaling(notation: Notation) -> str:
    y, equals, gamma, plus, beta = map(notation.symbol, "y=γ+β")
    return notation.join((y, equals, gamma, notation.hat(notation.symbol("x")), plus, beta))


def _standardize(followed: LayerValue, words: str, formula: str, notation: Notation) -> Step:
    value, mean, variance, eps = followed.value, followed.mean, followed.variance, followed.eps
    root, number, sign = _find_root(followed), notation.number, notation.symbol
    difference = notation.join((number(value), sign("−"), notation.term(mean)))
    spread = notation.root(notation.join((number(variance), sign("+"), number(eps))))
    pieces = [
        formula,
        notation.join((notation.equals(value, mean, variance, eps), notation.fraction(difference, spread))),
    ]
    if not root:
        words += " All values are equal and ε is 0: 0 is written for 0/0."
        return Step("normalized value", words, (*pieces, notation.join((sign("≔"), number(0)))))
    deviation, standardized = value - mean, _find_standardized(followed)
    quotient = notation.fraction(number(deviation), number(root))
    pieces += [
        notation.join((notation.equals(deviation, root), quotient)),
        notation.join((notation.equals(deviation, root, standardized), number(standardized))),
    ]
    return Step("normalized value", words, tuple(pieces))


def _scale(followed: LayerValue, notation: Notation) -> Step:
    gamma, beta, standardized = followed.gamma, followed.beta, _find_standardized(followed)
    number, term, output = notation.number, notation.term, gamma * standardized + beta
    product = (number(gamma), notation.symbol("·"), term(standardized), notation.symbol("+"), term(beta))
    pieces = (
        _write_scaling(notation),
        notation.join((notation.equals(gamma, standardized, beta), *product)),
        notation.join((notation.equals(gamma, standardized, beta, output), number(output))),
    )
    words = write_minus(f"Multiply by γ = {write_decimal(gamma)} and add β = {write_decimal(beta)}.")
    return Step("scaled and shifted", words, pieces)


def _find_root(followed: LayerValue) -> Fraction:
    """Find √(σ² + ε), exact if it is rational, else the nearest double."""
    exact = find_root(followed.variance + followed.eps)
    return Fraction(math.sqrt(followed.variance + followed.eps)) if exact is None else exact


def _find_standardized(followed: LayerValue) -> Fraction:
    """Find x̂, exact if the root is; 0 stands for 0/0."""
    root = _find_root(followed)
    return (followed.value - followed.mean) / root if root else Fraction(0)


def _correct_bias(running: RunningStatistics, notation: Notation) -> Step:
    one, unbiased = running.batch, running.unbiased_variance
    sign, number, n = notation.symbol, notation.number, notation.symbol("n")
    factor = notation.fraction(n, notation.join((n, sign("−"), number(1))))
    over = notation.fraction(number(one.count), number(one.count - 1))
    pieces = (
        (notation.square(sign("s")), sign("="), factor, sign("·"), notation.square(sign("σ"))),
        (notation.equals(one.variance), over, sign("·"), number(one.variance)),
        (notation.equals(one.variance, unbiased), number(unbiased)),
    )
    words = "Divide the squared deviations by n − 1 in place of n: an estimate beyond this batch."
    return Step("unbiased variance", words, tuple(map(notation.join, pieces)))


def _move(name: str, words: str, *, running: _Quantity, batch: _Quantity, notation: Notation) -> Step:
    """Write running ← (1 − m)·running + m·batch."""
    sign, number, kept = notation.symbol, notation.number, 1 - MOMENTUM
    moved = kept * running.value + MOMENTUM * batch.value
    rest = (sign("("), number(1), sign("−"), sign("m"), sign(")"))
    summands = (number(kept), sign("·"), number(running.value), sign("+"), number(MOMENTUM), sign("·"))
    pieces = (
        (
            running.sign,
            sign("←"),
            *rest,
            sign("·"),
            running.sign,
            sign("+"),
            sign("m"),
            sign("·"),
            batch.sign,
        ),
        (notation.equals(batch.value), *summands, notation.term(batch.value)),
        (notation.equals(batch.value, moved), number(moved)),
    )
    return Step(name, words, tuple(map(notation.join, pieces)))
