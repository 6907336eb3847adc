"""Answers to prepared pictures: who predicts, what each figure is read as, and how far to trust it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lab.datasets.load import DATASETS
from lab.experiments.architecture import NUM_CLASSES
from lab.runs.records import RunRecord
from service.data_urls import write_png_url
from service.predict.explanations import draw_explanation
from service.predict.novelty import NoveltyDetectors
from service.predict.predictor import Predictor, Probabilities, scale_pixels
from service.predict.preparation import PreparedImage, PreparedPicture
from service.predict.requests import PredictionOptions
from service.predict.schemas import (
    BoxOut,
    ClassProbability,
    ExplanationOut,
    FigureReading,
    ModelReading,
    PredictionOut,
    Preprocessing,
)
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
        detector = self.detectors.find(best.id, dataset=dataset, network=self.find_network())
        if detector is None:
            return np.zeros(len(figures))
        return detector.measure(np.stack([fit_to_dataset(one, dataset=dataset).pixels for one in figures]))


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A figure as it was read, after a clockwise turn of ``turned_degrees``."""

    figure: PreparedImage
    probabilities: NDArray[np.float32]
    novelty: float
    turned_degrees: int = 0

    @property
    def digit(self) -> int:
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        return float(self.probabilities.max())

    @property
    def is_digit(self) -> bool:
        # Some of the training images themselves are odd.
        is_novel = self.figure.is_framed and self.novelty > 1
        return not (self.figure.is_solid or is_novel)

    @property
    def is_unsure(self) -> bool:
        threshold = UNSURE_BELOW if self.figure.is_framed else UNSURE_BELOW_AS_IT_IS
        return self.confidence < threshold or not self.is_digit

    @property
    def may_be_turned(self) -> bool:
        is_written = self.figure.is_framed and not self.figure.is_solid
        return is_written and (self.novelty > 1 or self.confidence < TURN_BELOW)


def answer_pictures(
    pictures: Sequence[PreparedPicture], panel: Panel, *, options: PredictionOptions
) -> list[PredictionOut]:
    """Answer each picture; all are read by a network at once."""
    figures = [figure for picture in pictures for figure in picture.figures]
    if not figures:
        return []
    read = _read_turned(figures, panel)
    places = np.cumsum([0, *(len(picture.figures) for picture in pictures)])
    first = [read[place].figure for place in places[:-1]]
    by_run = [panel.read(first, run) for run in panel.runs]
    return [
        _write_answer(
            picture,
            read[places[index] : places[index + 1]],
            [probabilities[index] for probabilities in by_run],
            panel,
            options=options,
        )
        for index, picture in enumerate(pictures)
    ]


def turn_upright(figure: PreparedImage, panel: Panel) -> PreparedImage:
    """The figure as it is read: turned, if it is familiar and sure only on its side or upside down."""
    (read,) = _read_turned([figure], panel)
    return read.figure


def _read_turned(figures: Sequence[PreparedImage], panel: Panel) -> list[_Read]:
    """Read the figures; one that is familiar and sure only on its side or upside down is turned."""
    read = _read_figures(figures, panel)
    doubtful = [place for place, one in enumerate(read) if one.may_be_turned]
    if not doubtful:
        return read
    for degrees in TURNS:
        turned = [_turn(figures[place], degrees=degrees) for place in doubtful]
        for place, one in zip(doubtful, _read_figures(turned, panel), strict=True):
            if one.confidence > TURN_ABOVE and one.novelty < min(MAX_TURNED_NOVELTY, read[place].novelty):
                read[place] = replace(one, turned_degrees=degrees)
    return read


def _read_figures(figures: Sequence[PreparedImage], panel: Panel) -> list[_Read]:
    answers, novelties = panel.answer(figures), panel.measure_novelty(figures)
    return [
        _Read(
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


def _write_answer(
    picture: PreparedPicture,
    read: Sequence[_Read],
    by_run: Sequence[NDArray[np.float32]],
    panel: Panel,
    *,
    options: PredictionOptions,
) -> PredictionOut:
    best, first = panel.runs[0], read[0]
    names = DATASETS[best.config.dataset].class_names
    seen = fit_to_dataset(first.figure, dataset=best.config.dataset)
    order = np.argsort(-first.probabilities, kind="stable")
    explanation = None
    if options.explain is not None:
        overlay = draw_explanation(
            panel.find_network(), scale_pixels(seen.pixels), digit=first.digit, method=options.explain
        )
        explanation = ExplanationOut(method=options.explain, image=write_png_url(overlay))
    return PredictionOut(
        digit=first.digit,
        class_name=names[first.digit],
        confidence=first.confidence,
        probabilities=first.probabilities.tolist(),
        is_digit=first.is_digit,
        is_unsure=first.is_unsure,
        digits=[one.digit for one in read],
        figures=[_view_figure(one, names) for one in read],
        top=[
            ClassProbability(
                digit=int(place), class_name=names[place], probability=float(first.probabilities[place])
            )
            for place in order[: options.top_k]
        ]
        if options.top_k
        else None,
        models=[
            view_reading(run, probabilities) for run, probabilities in zip(panel.runs, by_run, strict=True)
        ],
        explanation=explanation,
        preprocessing=view_preprocessing(seen),
        warnings=[*picture.warnings, *_warn_of_figure(first), *warn_of_run(best)],
    )


def _view_figure(read: _Read, names: Sequence[str]) -> FigureReading:
    box = read.figure.box
    return FigureReading(
        digit=read.digit,
        class_name=names[read.digit],
        confidence=read.confidence,
        probabilities=read.probabilities.tolist(),
        box=BoxOut(left=box.left, top=box.top, width=box.width, height=box.height),
        is_digit=read.is_digit,
        is_unsure=read.is_unsure,
        turned_degrees=read.turned_degrees,
    )


def _warn_of_figure(read: _Read) -> list[str]:
    if read.figure.is_solid:
        return ["This is a filled shape, not a digit written with a pen."]
    if not read.is_digit:
        return ["This does not look like one of the digits 0 to 9."]
    warnings = []
    if read.turned_degrees:
        warnings.append(f"The digit was read after turning the picture clockwise by {read.turned_degrees}°.")
    if read.is_unsure:
        warnings.append("Unsure: of answers with so little confidence too many are wrong.")
    return warnings


def view_reading(run: RunRecord, probabilities: NDArray[np.float32]) -> ModelReading:
    """One run's prediction, from its probabilities (10,)."""
    digit = int(probabilities.argmax())
    return ModelReading(
        run_id=run.id,
        experiment_id=run.experiment_id,
        dataset=run.config.dataset,
        label=run.config.label,
        normalization=run.config.normalization,
        digit=digit,
        class_name=DATASETS[run.config.dataset].class_names[digit],
        confidence=float(probabilities[digit]),
        probabilities=probabilities.tolist(),
    )


def view_preprocessing(prepared: PreparedImage) -> Preprocessing:
    """The steps to the network's input, and the input."""
    return Preprocessing(steps=prepared.steps, image=write_png_url(prepared.pixels))


def warn_of_run(run: RunRecord) -> list[str]:
    """Warnings of a run that did not learn handwritten digits from MNIST."""
    info = DATASETS[run.config.dataset]
    if not info.shows_digits:
        return [f"Run {run.id} was trained on {info.title}: its answer is a class of that, not a digit."]
    if info.name == "digits":
        return [
            f"Run {run.id} learned from the {info.train_size:,} small embedded digits; one trained on MNIST "
            "predicts better."
        ]
    return []
