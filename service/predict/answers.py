"""Answers to prepared pictures, with their warnings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lab.datasets.load import DATASETS
from lab.runs.records import RunRecord
from service.data_urls import write_png_url
from service.predict.explanations import draw_explanation
from service.predict.panel import Panel, Read, read_figures
from service.predict.predictor import scale_pixels
from service.predict.preparation import PreparedImage, PreparedPicture
from service.predict.requests import Explanation, PredictionOptions
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


def answer_pictures(
    pictures: Sequence[PreparedPicture], panel: Panel, *, options: PredictionOptions
) -> list[PredictionOut]:
    """Answer each picture; all are read by a network at once."""
    figures = [figure for picture in pictures for figure in picture.figures]
    if not figures:
        return []
    read = read_figures(figures, panel)
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


def _write_answer(
    picture: PreparedPicture,
    read: Sequence[Read],
    by_run: Sequence[NDArray[np.float32]],
    panel: Panel,
    *,
    options: PredictionOptions,
) -> PredictionOut:
    best, first = panel.runs[0], read[0]
    names = DATASETS[best.config.dataset].class_names
    seen = fit_to_dataset(first.figure, dataset=best.config.dataset)
    return PredictionOut(
        digit=first.digit,
        class_name=names[first.digit],
        confidence=first.confidence,
        probabilities=first.probabilities.tolist(),
        is_digit=first.is_digit,
        is_unsure=first.is_unsure,
        digits=[one.digit for one in read],
        figures=[_view_figure(one, names) for one in read],
        top=_list_top(first, names, count=options.top_k) if options.top_k else None,
        models=[
            view_reading(run, probabilities) for run, probabilities in zip(panel.runs, by_run, strict=True)
        ],
        explanation=_explain(first, seen, panel, method=options.explain) if options.explain else None,
        preprocessing=view_preprocessing(seen),
        warnings=[*picture.warnings, *_warn_of_figure(first), *warn_of_run(best)],
    )


def _list_top(read: Read, names: Sequence[str], *, count: int) -> list[ClassProbability]:
    order = np.argsort(-read.probabilities, kind="stable")[:count]
    return [
        ClassProbability(digit=int(one), class_name=names[one], probability=float(read.probabilities[one]))
        for one in order
    ]


def _explain(read: Read, seen: PreparedImage, panel: Panel, *, method: Explanation) -> ExplanationOut:
    picture = scale_pixels(seen.pixels)
    overlay = draw_explanation(panel.find_network(), picture, digit=read.digit, method=method)
    return ExplanationOut(method=method, image=write_png_url(overlay))


def _view_figure(read: Read, names: Sequence[str]) -> FigureReading:
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


def _warn_of_figure(read: Read) -> list[str]:
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
