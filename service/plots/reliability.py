"""Reliability diagrams: accuracy by confidence, before and after temperature scaling (Guo et al. 2017)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sqlalchemy.orm import Session

from lab.runs.predictions import stream_log_probabilities
from lab.runs.records import RunRecord
from lab.statistics.calibration import NUM_BINS, ReliabilityBin, bin_by_confidence, calibrate
from service.drawing.canvas import FAINT_INK, INK, QUIET_INK, clean_text, draw_notice, write_heading
from service.drawing.palette import NORMALIZATION_COLORS, OTHER_COLOR
from service.test_images import TestImages

MOST_PANELS, COLUMNS = 20, 5
SIDE, LARGE_SIDE, GAP, ROW_GAP, LEFT, HEADER, FOOTER = 2.2, 3.6, 0.55, 0.9, 0.7, 1.3, 1.0
"""Inches."""


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Runs of one configuration: their predictions by confidence, and their mean calibration errors, 0–1."""

    label: str
    normalization: str
    raw: Sequence[ReliabilityBin]
    calibrated: Sequence[ReliabilityBin]
    error: float
    calibrated_error: float


def collect_reliability(
    session: Session, test_images: TestImages, runs: Sequence[RunRecord]
) -> list[Reliability]:
    """The reliability of each configuration of the completed ``runs``, its seeds together.

    Raises:
        DatasetUnavailableError: the data set's files are not there and cannot be downloaded.
    """
    calibrations = {run.id: run.calibration for run in runs if run.calibration is not None}
    by_id = {run.id: run for run in runs}
    raw: dict[str, list[ReliabilityBin]] = {}
    calibrated: dict[str, list[ReliabilityBin]] = {}
    for run_id, log_probabilities in stream_log_probabilities(session, list(calibrations)):
        run = by_id[run_id]
        _, labels = test_images.read(run.config.dataset)
        probabilities = calibrate(log_probabilities, calibrations[run_id].temperature)
        raw.setdefault(run.config.label, []).extend(bin_by_confidence(np.exp(log_probabilities), labels))
        calibrated.setdefault(run.config.label, []).extend(bin_by_confidence(probabilities, labels))
    reliabilities = []
    for label, bins in raw.items():
        own = [run for run in runs if run.config.label == label and run.id in calibrations]
        reliabilities.append(
            Reliability(
                label=label,
                normalization=own[0].config.normalization,
                raw=_merge(bins),
                calibrated=_merge(calibrated[label]),
                error=float(np.mean([calibrations[run.id].error for run in own])),
                calibrated_error=float(np.mean([calibrations[run.id].calibrated_error for run in own])),
            )
        )
    return reliabilities


def draw_reliability(reliabilities: Sequence[Reliability], *, title: str) -> Figure:
    """Draw a panel for each configuration, best calibrated first."""
    if not reliabilities:
        return draw_notice(title, message="No run has completed yet.")
    shown = sorted(reliabilities, key=lambda one: one.error)[:MOST_PANELS]
    columns = min(COLUMNS, len(shown))
    rows = ceil(len(shown) / columns)
    side = LARGE_SIDE if len(shown) == 1 else SIDE
    width = max(LEFT + columns * (side + GAP), 6.6)
    height = HEADER + rows * (side + ROW_GAP) - ROW_GAP + FOOTER
    figure = Figure(figsize=(width, height))
    for place, one in enumerate(shown):
        row, column = divmod(place, columns)
        left = LEFT + column * (side + GAP)
        top = height - HEADER - row * (side + ROW_GAP)
        panel = figure.add_axes(
            (left / width, (top - side) / height, side / width, side / height),
            xlabel="confidence (%)" if row == rows - 1 else "",
            ylabel="accuracy (%)" if column == 0 else "",
        )
        _draw_panel(panel, one)
    words = "Open: as trained. Filled: after temperature scaling. Larger dots stand for more test images."
    write_heading(figure, title, words)
    notes = [
        "On the diagonal, confidence is accuracy. ECE: expected calibration error in points, mean over "
        "seeds; the second after scaling, cross-fitted."
    ]
    if len(reliabilities) > len(shown):
        notes.append(f"The {len(reliabilities) - len(shown)} worst calibrated are not shown.")
    figure.text(0.3 / width, 0.14 / height, "\n".join(notes), fontsize=8, color=QUIET_INK, wrap=True)
    return figure


def _draw_panel(panel: Axes, one: Reliability) -> None:
    color = NORMALIZATION_COLORS.get(one.normalization, OTHER_COLOR)
    panel.plot([0, 100], [0, 100], color=FAINT_INK, linewidth=1)
    total = sum(each.count for each in one.raw)
    for bins, face in ((one.raw, "none"), (one.calibrated, color)):
        panel.scatter(
            [100 * each.confidence for each in bins],
            [100 * each.accuracy for each in bins],
            s=[12 + 90 * (each.count / total) ** 0.5 for each in bins],
            facecolors=face,
            edgecolors=color,
            linewidths=1.1,
            alpha=0.85,
            clip_on=False,
        )
    panel.set_xlim(0, 100)
    panel.set_ylim(0, 100)
    panel.set_xticks([0, 50, 100])
    panel.set_yticks([0, 50, 100])
    panel.tick_params(labelsize=8, color=FAINT_INK)
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(FAINT_INK)
    errors = f"ECE {100 * one.error:.2f} → {100 * one.calibrated_error:.2f}"
    panel.set_title(f"{clean_text(one.label, max_length=26)}\n{errors}", fontsize=8.5, color=INK, loc="left")


def _merge(bins: Iterable[ReliabilityBin]) -> list[ReliabilityBin]:
    """Put the bins of several runs together, by their confidence rounded to a bin's width."""
    together: dict[int, list[ReliabilityBin]] = {}
    for one in bins:
        together.setdefault(min(int(one.confidence * NUM_BINS), NUM_BINS - 1), []).append(one)
    return [_merge_bin(together[place]) for place in sorted(together)]


def _merge_bin(bins: Sequence[ReliabilityBin]) -> ReliabilityBin:
    counts = [one.count for one in bins]
    return ReliabilityBin(
        count=sum(counts),
        confidence=float(np.average([one.confidence for one in bins], weights=counts)),
        accuracy=float(np.average([one.accuracy for one in bins], weights=counts)),
    )
