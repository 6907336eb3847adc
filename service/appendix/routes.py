"""The study's appendix: normalization statistics worked out by hand, for its sample or any small tensor."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from lab.errors import InvalidTensorError
from service.appendix.answer import describe_appendix
from service.appendix.document import write_markdown
from service.appendix.figure import draw_appendix
from service.appendix.page import write_html
from service.appendix.requests import AppendixRequest
from service.appendix.sample import STUDY_SAMPLE
from service.appendix.schemas import AppendixAnswer
from service.appendix.statistics import Appendix, work_out
from service.drawing.rendering import respond_with_figure

router = APIRouter(tags=["appendix"])

AnswerFormat = Annotated[
    Literal["json", "markdown", "html", "png"],
    Query(
        alias="format",
        description="json: every number and step; markdown: tables and LaTeX; html: a page to read or print; "
        "png: a figure of the values that share a mean and a variance (up to 1,024 values).",
    ),
]
_FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The appendix in the requested format.",
        "content": {
            "text/markdown": {"schema": {"type": "string"}},
            "text/html": {"schema": {"type": "string"}},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get("/appendix", response_model=AppendixAnswer, responses=_FORMATS)
def show_study_appendix(answer_format: AnswerFormat = "json") -> AppendixAnswer | Response:
    """Work out the study's own sample: four images of four 2×2 channels, with corrections to its numbers."""
    return _answer(work_out(STUDY_SAMPLE), answer_format=answer_format)


@router.post("/appendix", response_model=AppendixAnswer, responses=_FORMATS)
def work_out_appendix(
    request: AppendixRequest, answer_format: AnswerFormat = "json"
) -> AppendixAnswer | Response:
    """Work out the statistics of batch, group, layer and instance norm for your own (N, C, H, W) tensor.

    422 `invalid_tensor` says what is wrong with the tensor and what would be right.
    """
    if request.pixels is None:
        raise InvalidTensorError("pixels is missing: give four nested lists of numbers [N][C][H][W]")
    appendix = work_out(
        request.pixels, groups=request.groups, eps=request.eps, gamma=request.gamma, beta=request.beta
    )
    return _answer(appendix, answer_format=answer_format)


def _answer(appendix: Appendix, *, answer_format: str) -> AppendixAnswer | Response:
    match answer_format:
        case "markdown":
            return Response(write_markdown(appendix), media_type="text/markdown")
        case "html":
            return HTMLResponse(write_html(appendix))
        case "png":
            return respond_with_figure(draw_appendix(appendix))
        case _:
            return describe_appendix(appendix)
