"""The appendix as one HTML page: no script, nothing loaded, light and dark, ready to print."""

from functools import partial
from pathlib import Path

from markupsafe import Markup

from service.appendix.colors import EDGES, FILLS, pick_colors
from service.appendix.document import (
    DESCRIPTIONS,
    MAX_WORKED_SETS,
    TITLE,
    describe_rest,
    describe_sample,
    write_result,
)
from service.appendix.notation import MathMl, write_decimal
from service.appendix.statistics import NORMALIZATIONS, Appendix, Normalization
from service.appendix.tensor import Position
from service.appendix.working import write_steps
from service.templating import load_templates

TEMPLATES = load_templates("service.appendix")
STYLESHEET = Path(__file__).parent / "templates" / "appendix.css"


class _Section:
    """One normalization, as the template shows it."""

    def __init__(self, appendix: Appendix, name: Normalization) -> None:
        self._appendix = appendix
        self.name = name
        self.words = DESCRIPTIONS[name]
        self.sets = appendix.sets[name]
        self.worked = self.sets[:MAX_WORKED_SETS]
        self.rest = describe_rest(self.sets)
        self.uses_filled_in = any(one.uses_filled_in for one in self.sets)
        self.set_colors = pick_colors(self.sets)
        self.colors = {
            (image, channel): color
            for one, color in zip(self.sets, self.set_colors, strict=True)
            for image in one.images
            for channel in one.channels
        }

    def values(self, place: Position) -> str:
        """Write the value at a position."""
        return _minus(write_decimal(self._appendix.sample.pixel(place)))

    def normalized(self, place: Position) -> str:
        """Write the normalized value at a position."""
        image, channel, row, column = place
        return _minus(f"{self._appendix.normalized[self.name][image][channel][row][column]:.3f}")


def write_html(appendix: Appendix) -> str:
    """Write the appendix as a self-contained page with formulas in MathML."""
    return TEMPLATES.get_template("page.html").render(
        title=TITLE, stylesheet=read_stylesheet(), body=write_body(appendix)
    )


def write_body(appendix: Appendix) -> Markup:
    """Write everything below the title, for a page that has ``read_stylesheet``."""
    mathml = MathMl()
    body = TEMPLATES.get_template("body.html").render(
        sample=appendix.sample,
        description=describe_sample(appendix),
        notes=appendix.notes,
        sections=[_Section(appendix, name) for name in NORMALIZATIONS],
        number=lambda value: Markup(mathml.number(value)),
        result=lambda value: Markup(write_result(value, mathml)),
        steps=partial(write_steps, notation=mathml),
    )
    return Markup(body)


def read_stylesheet() -> Markup:
    """Read the styles of ``write_body``, with the colours of the sets."""
    colors = "".join(
        f".c{index} {{ --fill: {fill}; --edge: {edge}; }}\n"
        for index, (fill, edge) in enumerate(zip(FILLS, EDGES, strict=True))
    )
    return Markup(STYLESHEET.read_text() + colors)


def _minus(number: str) -> str:
    return number.replace("-", "−")
