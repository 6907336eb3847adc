"""Looks: an experiment judged with some seeds, and again when seeds were added.

Each look can find what is not there, so that looks until a difference shows would find one. The first look,
with the seeds that the experiment was planned with, has the whole level. Each further one, which nobody
planned, has half of the last one's, so that all looks together are wrong with less than twice the level.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.statistics.paired import LEVEL, MIN_SEEDS


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look: how many seeds each configuration has, and the level it is judged at."""

    num_seeds: int
    level: float


def add_look(looks: Sequence[Look], *, num_seeds_before: int, num_seeds: int, is_seen: bool) -> list[Look]:
    """The looks once there are ``num_seeds``.

    ``is_seen`` says whether results with ``num_seeds_before`` could be seen; if not, or with so few seeds
    that nothing could be found, that look is moved.
    """
    before = list(looks) or [Look(num_seeds=num_seeds_before, level=LEVEL)]
    if not is_seen or num_seeds_before < MIN_SEEDS:
        return [*before[:-1], Look(num_seeds=num_seeds, level=before[-1].level)]
    return [*before, Look(num_seeds=num_seeds, level=before[-1].level / 2)]


def sum_levels(looks: Sequence[Look]) -> float:
    """The chance, at most, that any of the looks finds what is not there."""
    return sum(look.level for look in looks) if looks else LEVEL
