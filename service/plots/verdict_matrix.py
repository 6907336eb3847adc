"""Matrix of pairwise verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from service.drawing.canvas import FAINT_INK, INK, QUIET_INK, clean_text, draw_notice, write_heading

MOST_SHOWN = 30
CELL_WIDTH, CELL_HEIGHT, LEAST_WIDTH = 0.62, 0.4, 8.6
MARGIN, HEADER, FOOTER = 0.3, 0.85, 1.05
"""Inches, as are all lengths here."""

LOOKS = {
    "better": ("#9CCBEA", INK, "row better"),
    "worse": ("#F5BE8B", INK, "row worse"),
    "practically_same": ("#DCE9DC", INK, "practically the same"),
    "no_difference_found": ("#E8ECF0", INK, "no difference found"),
    "cannot_conclude": ("#FFFFFF", "#7A828A", "cannot conclude"),
}
"""Fill, ink and name of each verdict; the sign of the figure says the same as the color."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on a pair: ``difference`` is a's accuracy minus b's, a fraction."""

    a: str
    b: str
    outcome: str
    difference: float | None
    is_confounded: bool

    def seen_from(self, row: str) -> tuple[str, float | None]:
        """The outcome and the difference from the side of one of the two."""
        sign = 1 if row == self.a else -1
        difference = None if self.difference is None else sign * self.difference
        if self.outcome not in ("a_better", "b_better"):
            return self.outcome, difference
        return ("better" if (self.outcome == "a_better") == (sign == 1) else "worse"), difference


def draw_verdicts(
    verdicts: Sequence[Verdict], *, labels: Sequence[str], title: str, num_tests: int
) -> Figure:
    """A cell for each ordered pair of ``labels``, best first: the row against the column, in points.

    ``num_tests`` is how many tests the p values behind the verdicts are corrected for.
    """
    shown = list(labels[:MOST_SHOWN])
    if len(shown) < 2:
        return draw_notice(title, message="Verdicts take two configurations with a completed run.")
    names = [clean_text(label, max_length=34) for label in shown]
    left = 0.35 + 0.078 * max(map(len, names))
    above = 0.25 + 0.056 * max(map(len, names))
    width = max(MARGIN + left + CELL_WIDTH * len(shown) + max(above, MARGIN), LEAST_WIDTH)
    height = HEADER + above + CELL_HEIGHT * len(shown) + FOOTER
    figure = Figure(figsize=(width, height))
    panel = figure.add_axes(
        (
            (MARGIN + left) / width,
            FOOTER / height,
            CELL_WIDTH * len(shown) / width,
            CELL_HEIGHT * len(shown) / height,
        )
    )
    by_pair = {frozenset((verdict.a, verdict.b)): verdict for verdict in verdicts}
    for row, label in enumerate(shown):
        for column, other in enumerate(shown):
            _draw_cell(panel, by_pair.get(frozenset((label, other))), label, place=(column, row))
    _label(panel, names)
    words = f"Row against column: difference in points of final test accuracy. {_describe_family(num_tests)}"
    write_heading(figure, title, words, left=MARGIN)
    num_hidden = len(labels) - len(shown)
    _draw_legend(figure, has_confounded=any(one.is_confounded for one in verdicts), num_hidden=num_hidden)
    return figure


def _draw_cell(panel: Axes, verdict: Verdict | None, row: str, *, place: tuple[int, int]) -> None:
    """Draw the verdict seen from the row; nothing on the diagonal."""
    x, y = place
    if verdict is None:
        panel.add_patch(
            Rectangle((x, y), 1, 1, facecolor="#C9CFD5" if x == y else "white", edgecolor="white")
        )
        return
    outcome, difference = verdict.seen_from(row)
    fill, ink, _ = LOOKS[outcome]
    panel.add_patch(Rectangle((x, y), 1, 1, facecolor=fill, edgecolor=FAINT_INK, linewidth=0.6))
    words = "?" if difference is None else _write_points(difference)
    if outcome == "cannot_conclude" and difference is not None:
        words += "?"
    mark = "*" if verdict.is_confounded else ""
    panel.text(x + 0.5, y + 0.5, words + mark, ha="center", va="center", fontsize=8, color=ink)


def _write_points(difference: float) -> str:
    """Write points with their sign; without one if they round to zero."""
    words = f"{100 * difference:+.2f}"
    return "0.00" if float(words) == 0 else words.replace("-", "−")


def _label(panel: Axes, names: Sequence[str]) -> None:
    middles = [place + 0.5 for place in range(len(names))]
    panel.set_xlim(0, len(names))
    panel.set_ylim(len(names), 0)
    panel.xaxis.tick_top()
    panel.set_xticks(middles, names, fontsize=8.5)
    panel.set_yticks(middles, names, fontsize=9)
    for name in panel.get_xticklabels():
        name.set(rotation=45, ha="left", rotation_mode="anchor")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def _draw_legend(figure: Figure, *, has_confounded: bool, num_hidden: int) -> None:
    width, height = figure.get_size_inches()
    canvas = figure.add_axes((0, 0, 1, FOOTER / height))
    canvas.set_xlim(0, width)
    canvas.set_ylim(0, FOOTER)
    canvas.set_axis_off()
    left = MARGIN
    for fill, _, name in LOOKS.values():
        canvas.add_patch(
            Rectangle((left, 0.58), 0.26, 0.2, facecolor=fill, edgecolor="#8A929A", linewidth=0.7)
        )
        canvas.text(left + 0.34, 0.68, name, fontsize=9, va="center", color=INK)
        left += 0.6 + 0.075 * len(name)
    notes = ["? the seeds there are cannot conclude."]
    if has_confounded:
        notes.append("* confounded: the two differ in more than one factor.")
    if num_hidden > 0:
        notes.append(f"The {num_hidden} lowest configurations are not shown.")
    canvas.text(MARGIN, 0.28, "  ".join(notes), fontsize=8.5, va="center", color=QUIET_INK)


def _describe_family(num_tests: int) -> str:
    return f"Corrected for {num_tests} tests." if num_tests > 1 else "One test."
