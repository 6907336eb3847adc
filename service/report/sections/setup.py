"""Objective, configurations and network architecture."""

from collections.abc import Mapping, Sequence
from functools import partial

from lab.experiments.architecture import LayerDescription
from lab.experiments.configs import RunConfig
from lab.wording import count_words, join_words
from service.drawing.rendering import MEDIA_TYPES, render
from service.experiments.responses import RECIPE_FIELDS
from service.report.blocks import Block, Bullets, Heading, Paragraph, Picture, Section, Table
from service.report.data import Material
from service.runs.architecture_figure import draw_architecture

MOST_ARCHITECTURES = 8
NORMALIZATION_NAMES = {
    "batch": "batch normalization",
    "group": "group normalization",
    "layer": "layer normalization",
    "instance": "instance normalization",
    "none": "no normalization",
}


def write_objective(material: Material) -> Section:
    """The question, and the size of the answer."""
    experiment, info = material.experiment, material.dataset
    configs = [configuration.config for configuration in material.experiment.configurations]
    names = [NORMALIZATION_NAMES[name] for name in dict.fromkeys(config.normalization for config in configs)]
    question = (
        f"How well does one small convolutional network read {info.title} with {join_words(names)}?"
        if len(configs) > 1
        else f"How well does a small convolutional network with {names[0]} read {info.title}?"
    )
    blocks: list[Block] = [
        Paragraph(
            f"{question} {count_words(len(configs), 'configuration')} × "
            f"{count_words(len(material.seeds), 'seed')}, {count_words(len(experiment.runs), 'run')} in all, "
            f"{info.train_size:,} training and {info.test_size:,} test images."
        )
    ]
    if experiment.preset == "study":
        blocks.append(
            Paragraph(
                "This repeats a published study of four such networks, faults included: normalization and "
                "penalty change together, the penalty also weighs γ and β, and the test loss sets the "
                "learning rate unless images are held out. What the data support of its conclusions is "
                "said below, point by point."
            )
        )
    if len(configs) > 1:
        blocks.append(
            Paragraph(
                "A difference is called real only where seeds that pair up agree on it: sign flips of whole "
                "seeds, corrected for everything that is compared."
            )
        )
    return Section("objective", "Objective", blocks)


def write_configurations(material: Material) -> Section:
    """Write each configuration's settings; common ones once."""
    configs = [configuration.config for configuration in material.experiment.configurations]
    shared, varying = _split_recipe(configs)
    headings = ("configuration", "normalization", "λ1", "λ2", "penalized", "groups", "γ, β", "dropout")
    table = Table(
        headings=(*headings, *(field.replace("_", " ") for field in varying), "parameters"),
        rows=[
            (
                config.label,
                config.normalization,
                f"{config.l1:g}",
                f"{config.l2:g}",
                _name_penalized(config),
                _name_groups(config.num_groups),
                "–" if config.normalization == "none" else "learned" if config.affine else "none",
                f"{config.dropout:g}",
                *(_write_value(getattr(config, field)) for field in varying),
                f"{config.num_parameters:,}",
            )
            for config in configs
        ],
        caption="The loss is cross-entropy + λ1·Σ|w| + λ2·Σw².",
        text_columns=("configuration", "normalization", "penalized", "γ, β", "schedule", "schedule metric"),
    )
    recipe = "; ".join(_write_setting(field, getattr(configs[0], field)) for field in shared)
    return Section("configurations", "Configurations", [table, Paragraph(f"The same for all: {recipe}.")])


def write_architecture(material: Material) -> Section:
    """The network, drawn for each normalization, and layer by layer in a table."""
    blocks: list[Block] = [
        Paragraph(
            "Every configuration trains the same convolutions, none with a bias; a block is convolution, "
            "normalization, ReLU, dropout. Only the normalization layers differ."
        )
    ]
    distinct: dict[tuple[LayerDescription, ...], list[str]] = {}
    first_runs: dict[tuple[LayerDescription, ...], int] = {}
    for configuration in material.experiment.configurations:
        layers = tuple(configuration.config.layers)
        distinct.setdefault(layers, []).append(configuration.label)
        first_runs.setdefault(layers, configuration.runs[0].id)
    shown = list(distinct.items())[:MOST_ARCHITECTURES]
    for layers, labels in shown:
        blocks.append(
            Picture(
                title=f"The network of {_list_labels(labels)}",
                path=f"/runs/{first_runs[layers]}/architecture.png",
                media_type=MEDIA_TYPES["svg"],
                draw=partial(_draw, layers, labels),
                size="half",
            )
        )
    if len(distinct) > len(shown):
        blocks.append(Bullets([f"{len(distinct) - len(shown)} more variants of the network are not drawn."]))
    blocks += [Heading("Layer by layer"), _tabulate(dict(shown))]
    return Section("architecture", "Architecture", blocks)


def _split_recipe(configs: Sequence[RunConfig]) -> tuple[list[str], list[str]]:
    """Split the recipe into fields that all configurations share and fields that vary."""
    fields = ("epochs", *RECIPE_FIELDS)
    varying = [name for name in fields if len({getattr(config, name) for config in configs}) > 1]
    shared = [name for name in fields if name not in varying]
    if all(config.schedule != "plateau" for config in configs):
        shared = [name for name in shared if name != "schedule_metric"]
    return shared, varying


def _draw(layers: Sequence[LayerDescription], labels: Sequence[str]) -> bytes:
    return render(draw_architecture(layers, title=_list_labels(labels)), image_format="svg")


def _tabulate(variants: Mapping[tuple[LayerDescription, ...], Sequence[str]]) -> Table:
    """One row a layer, with the parameters it has in each variant; one without normalization lacks a few."""
    longest = max(variants, key=len)
    parameters = [{layer.name: layer.parameters for layer in variant} for variant in variants]
    rows = [
        (
            str(layer.row),
            "normalization" if layer.name.startswith("norm") else f"{layer.type} {layer.detail}".strip(),
            "×".join(map(str, layer.output_shape)),
            _write_count(layer.multiply_adds),
            *(_write_count(counts.get(layer.name, 0)) for counts in parameters),
        )
        for layer in longest
        if layer.type not in ("ReLU", "Dropout")
    ]
    total = f"{sum(layer.multiply_adds for layer in longest):,}"
    sums = [f"{sum(counts.values()):,}" for counts in parameters]
    names = [f"parameters: {_list_labels(labels)}" for labels in variants.values()]
    return Table(
        headings=("row", "layer", "output C×H×W", "multiply-adds", *names),
        rows=[*rows, ("", "total", "", total, *sums)],
        caption="ReLU and dropout follow each normalization and have no parameters.",
        text_columns=("layer",),
    )


def _write_count(count: int) -> str:
    return f"{count:,}" if count else "–"


def _list_labels(labels: Sequence[str]) -> str:
    return join_words(labels if len(labels) <= 4 else [*labels[:3], f"{len(labels) - 3} more"])


def _write_setting(field: str, value: object) -> str:
    """Write a recipe field and its value in words."""
    match field:
        case "rotation_degrees":
            return f"rotation by up to ±{value:g}°"
        case "translation_pixels":
            return f"shifted by up to {value:g} pixels"
        case "scaling_percent":
            return f"scaled by up to ±{value:g} %"
        case "interpolation":
            return f"{value} interpolation"
        case "validation_size":
            return f"{value:,} training images held out" if value else "no images held out"
        case "schedule_metric":
            return f"learning rate steered by the {value} loss"
        case _:
            return f"{field.replace('_', ' ')} {_write_value(value)}"


def _write_value(value: object) -> str:
    return (
        f"{value:g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def _name_penalized(config: RunConfig) -> str:
    if not (config.l1 or config.l2):
        return "–"
    return "all parameters" if config.penalize == "all" else "weights"


def _name_groups(num_groups: Sequence[int]) -> str:
    if not num_groups:
        return "–"
    return str(num_groups[0]) if len(set(num_groups)) == 1 else " ".join(map(str, num_groups))
