"""The appendix as one HTML page: no script, nothing loaded from elsewhere, light and dark, ready to print."""

from functools import partial
from typing import Any

from markupsafe import Markup

from service.appendix.colors import EDGES, FILLS, pick_colors
from service.appendix.document import (
    MAX_WORKED_SETS,
    TITLE,
    describe_rest,
    describe_sample,
    write_result,
)
from service.appendix.explanation import DESCRIPTIONS, FORMULA, INFERENCE, describe_traced, trace_value
from service.appendix.inference import update_running
from service.appendix.layer_working import write_formulas, write_inference_steps, write_layer_steps
from service.appendix.notation import MathMl, write_decimal, write_math, write_minus
from service.appendix.statistics import NORMALIZATIONS, Appendix, Normalization
from service.appendix.tensor import Position, build_tensor
from service.appendix.working import write_steps
from service.templating import load_templates

_TEMPLATES = load_templates("service.appendix")


def write_html(appendix: Appendix) -> str:
    """Write the appendix as a self-contained page whose formulas are MathML, drawn by the browser itself."""
    return _TEMPLATES.get_template("page.html").render(
        title=TITLE, stylesheet=read_stylesheet(), body=write_body(appendix)
    )


def write_body(appendix: Appendix) -> Markup:
    """Write everything below the title, for a page that has the stylesheet."""
    sample, mathml, traced = appendix.sample, MathMl(), trace_value(appendix)

    def write_pixel(position: Position) -> str:
        text = write_minus(write_decimal(sample.pixel(position)))
        return Markup("<em>{}</em>").format(text) if position in sample.filled_in else text

    html = _TEMPLATES.get_template("body.html").render(
        summary=describe_sample(appendix),
        notes=appendix.notes,
        sample=sample,
        pixels=build_tensor(sample.shape, write_pixel),
        sections=[_describe_section(appendix, name) for name in NORMALIZATIONS],
        max_worked_sets=MAX_WORKED_SETS,
        mathml=mathml,
        write_math=lambda inside, **options: Markup(write_math(inside, **options)),
        write_minus=write_minus,
        write_result=write_result,
        formula=FORMULA,
        formulas=write_formulas(mathml),
        traced=traced,
        traced_caption=describe_traced(traced[0][1]),
        inference=INFERENCE,
        running=update_running(appendix),
        write_steps=lambda one: (
            *write_steps(one, notation=mathml),
            *write_layer_steps(appendix, one, notation=mathml),
        ),
        write_inference_steps=partial(write_inference_steps, appendix, notation=mathml),
    )
    return Markup(html)


def read_stylesheet() -> str:
    """Read the CSS of the page and of ``write_body``, with a class for the colors of each set."""
    css = _TEMPLATES.get_template("appendix.css").render()
    colors = enumerate(zip(FILLS, EDGES, strict=True))
    return css + "".join(
        f".c{index} {{ --fill: {fill}; --edge: {edge}; }}\n" for index, (fill, edge) in colors
    )


def _describe_section(appendix: Appendix, name: Normalization) -> dict[str, Any]:
    """Collect what the template shows of one normalization; colors are by (image, channel)."""
    sets, normalized = appendix.sets[name], appendix.normalized[name]
    return {
        "id": name,
        "description": DESCRIPTIONS[name],
        "sets": sets,
        "rest": describe_rest(sets),
        "colors": {
            (image, channel): color
            for one, color in zip(sets, pick_colors(sets), strict=True)
            for image in one.images
            for channel in one.channels
        },
        "normalized": [
            [[[write_minus(f"{value:.3f}") for value in row] for row in channel] for channel in image]
            for image in normalized
        ],
    }
