"""The runs that predict: how they read figures, turn them upright, and how far they are to be trusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lab.datasets.load import DATASETS
from lab.experiments.architecture import NUM_CLASSES
from lab.runs.records import RunRecord
from service.predict.novelty import NoveltyDetectors
from service.predict.predictor import Predictor, Probabilities
from service.predict.preparation import PreparedImage
from service.predict.uploads import fit_to_dataset

# Chosen on generated pictures, see docs/predict.md.
UNSURE_BELOW = 0.8
# A picture like the training images is doubted as those are.
UNSURE_BELOW_AS_IT_IS = 0.5
# Novelty 1 is the limit of what is like the training images. A figure beyond it, or less sure than this, is
# turned if another side makes it familiar and sure.
TURN_BELOW, TURN_ABOVE = 0.6, 0.95
MAX_TURNED_NOVELTY = 0.8
# Confidence falls to chance between these novelties.
DOUBT_FROM, DOUBT_TO = 0.9, 1.5
TURNS = (90, 180, 270)

ReadWeights = Callable[[RunRecord], bytes]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The runs that predict, the best first, with how to read their weights; it gives the answer.

    If ``is_ensemble``, the answer is the mean of all; else it is the best one's.
    """

    runs: Sequence[RunRecord]
    is_ensemble: bool
    predictor: Predictor
    detectors: NoveltyDetectors
    read_weights: ReadWeights

    @property
    def answering(self) -> Sequence[RunRecord]:
        """The runs that give the answer."""
        return self.runs if self.is_ensemble else self.runs[:1]

    def read(self, figures: Sequence[PreparedImage], run: RunRecord) -> Probabilities:
        """One run's probabilities (N, 10) of the figures."""
        pixels = [fit_to_dataset(figure, dataset=run.config.dataset).pixels for figure in figures]
        return self.predictor.read(np.stack(pixels), run, read_weights=partial(self.read_weights, run))

    def answer(self, figures: Sequence[PreparedImage]) -> Probabilities:
        """The answer's probabilities (N, 10) of the figures."""
        answers: Probabilities = np.mean([self.read(figures, run) for run in self.answering], axis=0)
        return answers

    def find_network(self) -> nn.Sequential:
        """The best run's network."""
        best = self.runs[0]
        return self.predictor.find_network(best, read_weights=partial(self.read_weights, best))

    def measure_novelty(self, figures: Sequence[PreparedImage]) -> NDArray[np.float64]:
        """The figures' novelty (N,) to the best run; 0 where its data set is not on this machine."""
        best = self.runs[0]
        dataset = best.config.dataset
        if not any(figure.is_framed for figure in figures):
            return np.zeros(len(figures))
        detector = self.detectors.find(best.id, dataset=dataset, network=self.find_network())
        if detector is None:
            return np.zeros(len(figures))
        return detector.measure(np.stack([fit_to_dataset(one, dataset=dataset).pixels for one in figures]))


@dataclass(frozen=True, kw_only=True)
class Read:
    """A figure as it was read, after a clockwise turn of ``turned_degrees``."""

    figure: PreparedImage
    probabilities: NDArray[np.float32]
    novelty: float
    turned_degrees: int = 0

    @property
    def digit(self) -> int:
        """The most probable class."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """Its probability."""
        return float(self.probabilities.max())

    @property
    def is_digit(self) -> bool:
        """False for a filled shape, and for what is unlike the training images."""
        # Some of the training images themselves are odd.
        is_novel = self.figure.is_framed and self.novelty > 1
        return not (self.figure.is_solid or is_novel)

    @property
    def is_unsure(self) -> bool:
        """True if answers as doubtful as this one are wrong too often."""
        threshold = UNSURE_BELOW if self.figure.is_framed else UNSURE_BELOW_AS_IT_IS
        return self.confidence < threshold or not self.is_digit

    @property
    def may_be_turned(self) -> bool:
        """True if it is worth while to look at it from another side."""
        is_written = self.figure.is_framed and not self.figure.is_solid
        return is_written and (self.novelty > 1 or self.confidence < TURN_BELOW)


def turn_upright(figure: PreparedImage, panel: Panel) -> PreparedImage:
    """The figure as it is read: turned, if it is familiar and sure only on its side or upside down."""
    (read,) = read_figures([figure], panel)
    return read.figure


def read_figures(figures: Sequence[PreparedImage], panel: Panel) -> list[Read]:
    """Read the figures; one that is familiar and sure only on its side or upside down is turned."""
    read = _read_upright(figures, panel)
    doubtful = [place for place, one in enumerate(read) if one.may_be_turned]
    if not doubtful:
        return read
    for degrees in TURNS:
        turned = [_turn(figures[place], degrees=degrees) for place in doubtful]
        for place, one in zip(doubtful, _read_upright(turned, panel), strict=True):
            if one.confidence > TURN_ABOVE and one.novelty < min(MAX_TURNED_NOVELTY, read[place].novelty):
                read[place] = replace(one, turned_degrees=degrees)
    return read


def _read_upright(figures: Sequence[PreparedImage], panel: Panel) -> list[Read]:
    # A shirt may be a filled shape.
    if not DATASETS[panel.runs[0].config.dataset].shows_digits:
        figures = [replace(figure, is_solid=False) for figure in figures]
    answers, novelties = panel.answer(figures), panel.measure_novelty(figures)
    return [
        Read(
            figure=figure,
            probabilities=_doubt(probabilities, figure, novelty=novelty),
            novelty=float(novelty),
        )
        for figure, probabilities, novelty in zip(figures, answers, novelties, strict=True)
    ]


def _doubt(
    probabilities: NDArray[np.float32], figure: PreparedImage, *, novelty: float
) -> NDArray[np.float32]:
    """Mix the probabilities with chance by as much as the figure is unlike any digit."""
    if not figure.is_framed:
        return probabilities
    share = 1.0 if figure.is_solid else np.clip((novelty - DOUBT_FROM) / (DOUBT_TO - DOUBT_FROM), 0, 1)
    doubted: NDArray[np.float32] = (1 - share) * probabilities + share / NUM_CLASSES
    return doubted


def _turn(figure: PreparedImage, *, degrees: int) -> PreparedImage:
    pixels = np.ascontiguousarray(np.rot90(figure.pixels, -degrees // 90))
    return replace(figure, pixels=pixels, steps=[*figure.steps, f"turned clockwise by {degrees}°"])
