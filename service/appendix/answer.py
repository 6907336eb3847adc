"""Answer with the appendix as JSON: floats, exact fractions as text, and the working."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from service.appendix.colors import pick_colors
from service.appendix.inference import (
    MOMENTUM,
    START_MEAN,
    START_VARIANCE,
    RunningStatistics,
    normalize_by_running,
    update_running,
)
from service.appendix.layer import LayerValue, follow_first_value
from service.appendix.layer_working import write_inference_steps, write_layer_steps
from service.appendix.notation import Latex, MathMl, write_math
from service.appendix.schemas import AppendixAnswer
from service.appendix.statistics import Appendix, StatisticsSet
from service.appendix.tensor import build_tensor
from service.appendix.working import Step, write_latex, write_steps


def describe_appendix(appendix: Appendix) -> AppendixAnswer:
    """Turn exact fractions into the answer's floats, fractions as text, and working."""
    sample, affine = appendix.sample, appendix.affine
    sets = {
        name: [
            _describe_set(appendix, one, color=color)
            for one, color in zip(found, pick_colors(found), strict=True)
        ]
        for name, found in appendix.sets.items()
    }
    return AppendixAnswer.model_validate(
        {
            "sample": {
                "shape": sample.shape,
                "pixels": build_tensor(sample.shape, lambda position: float(sample.pixel(position))),
                "channel_names": sample.channel_names,
                "filled_in": sorted(sample.filled_in),
                "groups": appendix.groups,
                "eps": float(affine.eps),
                "gamma": affine.gamma and [float(value) for value in affine.gamma],
                "beta": affine.beta and [float(value) for value in affine.beta],
            },
            "notes": appendix.notes,
            "normalized": appendix.normalized,
            "inference": _describe_inference(appendix),
            **sets,
        }
    )


def _describe_set(appendix: Appendix, one: StatisticsSet, *, color: int) -> dict[str, Any]:
    """Collect every field of a set; each model keeps the indexes that identify its own sets."""
    latex, mathml = Latex(), MathMl()
    layer_steps = [write_layer_steps(appendix, one, notation=notation) for notation in (latex, mathml)]
    return {
        "image": one.images[0],
        "channel": one.channels[0],
        "group": one.group,
        "label": one.label,
        "channels": one.channels,
        "values": [float(value) for value in one.values],
        "sum": float(one.total),
        "count": one.count,
        "mean": float(one.mean),
        "variance": float(one.variance),
        "std": one.std,
        "mean_fraction": str(one.mean),
        "variance_fraction": str(one.variance),
        "uses_filled_in": one.uses_filled_in,
        "steps": _describe_steps(write_steps(one, notation=latex), drawn=write_steps(one, notation=mathml)),
        "first_value": {
            **_describe_value(follow_first_value(appendix, one)),
            "steps": _describe_steps(layer_steps[0], drawn=layer_steps[1]),
        },
        "latex": write_latex(one),
        "color": color,
    }


def _describe_inference(appendix: Appendix) -> dict[str, Any] | None:
    running = update_running(appendix)
    if not running:
        return None
    return {
        "momentum": float(MOMENTUM),
        "start_mean": float(START_MEAN),
        "start_variance": float(START_VARIANCE),
        "channels": [_describe_running(appendix, one) for one in running],
        "normalized": normalize_by_running(appendix, running),
    }


def _describe_running(appendix: Appendix, one: RunningStatistics) -> dict[str, Any]:
    latex, mathml = (
        write_inference_steps(appendix, one, notation=notation) for notation in (Latex(), MathMl())
    )
    return {
        "channel": one.batch.channels[0],
        "unbiased_variance": float(one.unbiased_variance),
        "running_mean": float(one.mean),
        "running_variance": float(one.variance),
        "unbiased_variance_fraction": str(one.unbiased_variance),
        "running_mean_fraction": str(one.mean),
        "running_variance_fraction": str(one.variance),
        "first_value": _describe_value(follow_first_value(appendix, one)),
        "steps": _describe_steps(latex, drawn=mathml),
    }


def _describe_value(followed: LayerValue) -> dict[str, Any]:
    return {
        name: float(value) if isinstance(value, Fraction) else value for name, value in vars(followed).items()
    }


def _describe_steps(steps: Sequence[Step], *, drawn: Sequence[Step]) -> list[dict[str, Any]]:
    """Describe steps written in LaTeX, and again in MathML."""
    return [
        {
            "name": step.name,
            "words": step.words,
            "latex": " ".join(step.pieces),
            "mathml": [write_math(piece, is_display=True) for piece in other.pieces],
        }
        for step, other in zip(steps, drawn, strict=True)
    ]
