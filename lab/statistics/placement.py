"""Place cases among controls of the same class: the chance that a case has the larger value.

Sources: Brunner & Munzel (2000), The nonparametric Behrens-Fisher problem, Biometrical Journal 42; DeLong,
DeLong & Clarke-Pearson (1988), Comparing the areas under two or more correlated ROC curves, Biometrics 44.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

MIN_CASES = 10
MIN_CONTROLS = 5

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The chance that a case has a larger value than a control of its class: 1/2 if they do not differ.

    ``low`` and ``high`` are its interval, None with fewer than ``MIN_CASES``. ``control_mean`` is the mean of
    controls, each class weighing as much as among the cases.
    """

    num_cases: int
    case_mean: float
    control_mean: float
    chance: float
    low: float | None
    high: float | None


def place_cases(
    values: Values, is_case: NDArray[np.bool_], classes: NDArray[np.int64], *, confidence: float
) -> Placement | None:
    """Place each case among the controls of its class, by values (N,).

    A case's place is the share of these controls that it exceeds, ties counting half; the chance is the mean
    place. It is taken within classes, so that it is no difference between classes that shows; cases of a
    class of fewer than ``MIN_CONTROLS`` are left out. None if no case is left.

    The interval is Student's t, from the variance of the places and that of the controls (DeLong), with the
    degrees of freedom of Brunner & Munzel. Neither is taken as less than if cases were like controls: few
    cases that all lack a rare value do not vary.
    """
    pairs = [
        (np.sort(values[is_own & is_case]), np.sort(values[is_own & ~is_case]))
        for is_own in (classes == one for one in np.unique(classes[is_case]))
    ]
    pairs = [(cases, controls) for cases, controls in pairs if len(controls) >= MIN_CONTROLS]
    if not pairs:
        return None
    places = np.concatenate([_find_places(cases, controls) for cases, controls in pairs])
    num_cases, chance = len(places), float(places.mean())
    weights = np.array([len(cases) / num_cases for cases, _ in pairs])
    low = high = None
    if num_cases >= MIN_CASES:
        alike = np.array([np.var(_find_places(controls, controls)) for _, controls in pairs])
        of_controls = [np.var(_find_places(controls, cases), ddof=1) for cases, controls in pairs]
        of_cases = max(places.var(ddof=1), weights @ alike)
        numbers = np.array([num_cases, *(len(controls) for _, controls in pairs)])
        variances = np.array([of_cases, *(weights**2 * np.maximum(of_controls, alike))]) / numbers
        total = variances.sum()
        # Satterthwaite's; 1 where nothing varies at all.
        degrees = total**2 / (variances**2 / (numbers - 1)).sum() if total else 1
        half = float(stats.t.ppf((1 + confidence) / 2, degrees) * np.sqrt(total))
        low, high = max(0.0, chance - half), min(1.0, chance + half)
    return Placement(
        num_cases=num_cases,
        case_mean=float(np.concatenate([cases for cases, _ in pairs]).mean()),
        control_mean=float(weights @ [controls.mean() for _, controls in pairs]),
        chance=chance,
        low=low,
        high=high,
    )


def _find_places(values: Values, ordered: Values) -> Values:
    """The share of ``ordered`` that each value exceeds, ties counting half."""
    below, not_above = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray((below + not_above) / (2 * len(ordered)), dtype=np.float64)
