"""A report as one HTML page: no script, nothing loaded, light and dark, ready to print."""

import itertools
from functools import partial
from pathlib import Path

from markupsafe import Markup

from service.appendix.page import read_stylesheet
from service.data_urls import write_data_url
from service.report.blocks import Block, Picture, Report
from service.templating import load_templates

TEMPLATES = load_templates("service.report")
STYLESHEET = Path(__file__).parent / "templates" / "report.css"


def write_html(report: Report) -> str:
    """Write the page, with every figure drawn into it."""
    return TEMPLATES.get_template("report.html").render(
        report=report,
        stylesheet=read_stylesheet() + Markup(STYLESHEET.read_text()),
        kind_of=_name_kind,
        draw=_draw,
        count_figures=partial(next, itertools.count(1)),
        keep_together=_keep_together,
    )


def _name_kind(block: Block) -> str:
    return type(block).__name__


def _draw(picture: Picture) -> str:
    return write_data_url(picture.draw(), media_type=picture.media_type)


def _keep_together(heading: str) -> str:
    """Keep a difference on one line."""
    return heading.replace(" − ", "\u00a0−\u00a0")
