"""An experiment's report."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from service.dependencies import DRAWING, RowId, SessionDep
from service.report.compose import compose_report
from service.report.data import collect_material
from service.report.markdown import write_markdown
from service.report.page import write_html
from service.test_images import TestImagesDep

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["report"], dependencies=[DRAWING])

# The page is self-contained, so it may load nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"


@router.get(
    "/report",
    response_class=HTMLResponse,
    responses={200: {"content": {"text/html": {}, "text/markdown": {}}}},
)
def show_report(
    experiment_id: RowId,
    test_images: TestImagesDep,
    session: SessionDep,
    request: Request,
    answer_format: Annotated[
        Literal["html", "markdown"],
        Query(alias="format", description="html: one page with its figures; markdown: figures as links."),
    ] = "html",
) -> Response:
    """The whole study of an experiment: objective, findings, figures, verdicts, mistakes, method, appendix.

    The report of an unfinished experiment lists what is missing.
    """
    base_url = str(request.base_url).rstrip("/")
    report = compose_report(collect_material(session, test_images, experiment_id), base_url=base_url)
    if answer_format == "markdown":
        return Response(write_markdown(report, base_url=base_url), media_type="text/markdown")
    return HTMLResponse(write_html(report), headers={"Content-Security-Policy": POLICY})
