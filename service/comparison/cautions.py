"""Cautions: reasons in the data to be careful with a difference."""

from lab.statistics.paired import MIN_SEEDS, PairedDifference, find_smallest_p
from lab.statistics.robust import RobustDifference
from lab.wording import format_points, format_signed_points


def find_cautions(
    found: PairedDifference,
    robust: RobustDifference | None,
    *,
    names: tuple[str, str],
    half_width: float | None,
    margin: float,
    is_found: bool,
) -> list[str]:
    """List reasons to be careful; ``half_width`` is that of the simultaneous interval."""
    cautions = []
    if found.num_ties:
        smallest = min(1.0, find_smallest_p(found.num_seeds - found.num_ties))
        cautions.append(
            f"{found.num_ties} of {found.num_seeds} seeds tie exactly; the others alone could not reach a p "
            f"below {smallest:.2g}."
        )
    if found.num_seeds < MIN_SEEDS or robust is None:
        return cautions
    if is_found or robust.is_spread_unequal:
        cautions += _describe_shape(robust, names)
    if is_found and half_width is not None and abs(found.difference) <= half_width:
        cautions.append(
            "The simultaneous interval includes 0 although the exact test finds a difference: trust the "
            "direction more than the size."
        )
    if is_found and abs(found.difference) <= margin:
        cautions.append(
            f"The difference is real and small: within {format_points(margin)} points it makes no "
            "practical difference."
        )
    excludes_zero = found.ci_low is not None and found.ci_high is not None
    excludes_zero = excludes_zero and (found.ci_low or 0) * (found.ci_high or 0) > 0
    if not is_found and excludes_zero:
        cautions.append(
            "Its interval alone excludes 0, but it is not corrected for all that is judged; the verdict is."
        )
    return cautions


def _describe_shape(robust: RobustDifference, names: tuple[str, str]) -> list[str]:
    words = []
    if robust.is_spread_unequal:
        steady, other = (0, 1) if robust.sds[0] < robust.sds[1] else (1, 0)
        words.append(
            f"{names[steady]} was steadier on these seeds: standard deviation "
            f"{format_points(robust.sds[steady])} against {format_points(robust.sds[other])} points."
        )
    if robust.is_one_seed_decisive:
        words.append(f"One seed brings {robust.largest_share:.0%} of the sum of squared differences.")
    if not words:
        return []
    return [
        f"{' '.join(words)} A mean says little then: the median difference is "
        f"{format_signed_points(robust.median)} points, that of the middle half of the seeds "
        f"{format_signed_points(robust.interquartile_mean)}, and a run of {names[0]} beats one of {names[1]} "
        f"with a chance of {robust.probability_ahead:.0%}."
    ]
