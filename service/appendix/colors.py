"""Colors for sets of shared statistics, in the figure, the page and the dashboard."""

from collections.abc import Sequence

from service.appendix.statistics import StatisticsSet

# Tints of the Okabe-Ito colors, which stay apart for color-blind eyes; black text reads well on each.
FILLS = ("#a9d8f2", "#f6cf85", "#93d5c1", "#e9bdd5", "#f7f0a0", "#9dbfe6", "#f0b592", "#d3d3d3")
EDGES = ("#2b86b8", "#b07900", "#00775a", "#a34f7f", "#a79a12", "#0b5591", "#a84a00", "#707070")


def pick_colors(sets: Sequence[StatisticsSet]) -> tuple[int, ...]:
    """Pick an index into FILLS and EDGES for each set of one normalization, different for all neighbors.

    Up to eight sets get a color each. More sets lie on a grid of images and channels, where a step of
    three from row to row gives a set another color than the eight around it.
    """
    if len(sets) <= len(FILLS):
        return tuple(range(len(sets)))
    alone_in_row = len(sets[0].images) > 1 or len({one.channels for one in sets}) == 1
    if alone_in_row:
        return tuple(index % len(FILLS) for index in range(len(sets)))
    return tuple((one.channels[0] // len(one.channels) + 3 * one.images[0]) % len(FILLS) for one in sets)
