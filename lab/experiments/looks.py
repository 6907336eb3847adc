"""Looks: an experiment judged with some seeds, and again when seeds were added.

Each look can find what is not there, so that looks until a difference shows would find one. The first look,
with the seeds that the experiment was submitted with, has the whole level. A further one that nobody planned
has half of the last one's, so that all looks together are wrong with less than twice the level. Looks planned
before anything was seen share the level among them (alpha spending by Bonferroni's inequality).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.statistics.family import LEAST_P
from lab.statistics.paired import LEVEL, MIN_SEEDS, find_smallest_p

PLANNED_SEEDS = (6, 10, 16, 24, 36, 54)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look: how many seeds each configuration has, and the level it is judged at."""

    num_seeds: int
    level: float
    is_planned: bool = False


def add_look(looks: Sequence[Look], *, num_seeds_before: int, num_seeds: int, is_seen: bool) -> list[Look]:
    """The looks once there are ``num_seeds``; planned ones still to come are dropped.

    ``is_seen`` says whether any result could be seen; if not, or with so few seeds that nothing could be
    found, this is the first look.
    """
    past, level = _leave_for_next(looks, num_seeds_before=num_seeds_before, is_seen=is_seen)
    return [*past, Look(num_seeds=num_seeds, level=level)]


def plan_looks(looks: Sequence[Look], *, num_seeds_before: int, most_seeds: int, is_seen: bool) -> list[Look]:
    """The looks when more are planned, the last with ``most_seeds``; those planned before are dropped.

    They share what ``add_look`` would give to one. Each has an equal share of what the earlier ones leave, or
    more where so few seeds could find nothing with it: the first of 6, 10, 16 and 24 seeds has 1/32 of 0.05.
    A look is left out where even all that is left could find nothing.
    """
    past, left = _leave_for_next(looks, num_seeds_before=num_seeds_before, is_seen=is_seen)
    counts = {number for number in PLANNED_SEEDS if num_seeds_before < number < most_seeds}
    if not past:
        counts.add(max(num_seeds_before, MIN_SEEDS))
    counts.add(most_seeds)
    planned = []
    for place, num_seeds in enumerate(sorted(counts)):
        level = max(left / (len(counts) - place), find_smallest_p(num_seeds), LEAST_P)
        if level <= left:
            planned.append(Look(num_seeds=num_seeds, level=level, is_planned=True))
            left -= level
    return [*past, *planned]


def list_taken(looks: Sequence[Look], *, num_seeds: int) -> list[Look]:
    """List the looks without those still to come; the last is the present one."""
    return [look for look in looks if look.num_seeds <= num_seeds]


def sum_levels(looks: Sequence[Look]) -> float:
    """The chance, at most, that any of the looks finds what is not there."""
    return sum(look.level for look in looks) if looks else LEVEL


def _leave_for_next(
    looks: Sequence[Look], *, num_seeds_before: int, is_seen: bool
) -> tuple[list[Look], float]:
    """The looks that stay, and the level left for what comes next."""
    if not is_seen or num_seeds_before < MIN_SEEDS:
        return [], LEVEL
    taken = list_taken(looks, num_seeds=num_seeds_before)
    taken = taken or [Look(num_seeds=num_seeds_before, level=LEVEL)]
    return taken, taken[-1].level / 2
