"""Layer statistics by configuration: each layer over the steps of the first epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from lab.experiments.architecture import ROWS
from lab.runs.epochs import LayerStatistics
from lab.runs.records import ConfigurationRecord, RunRecord
from service.drawing.palette import Configuration
from service.drawing.panels import FloatArray
from service.plots.groups import pick_comparable

Quantity = Literal["gradient_norm", "activation_mean", "activation_variance"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

MOST_TRACES = 6


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One configuration's layers over its first epoch.

    ``values`` has, by quantity and layer, the seeds' values (seeds, steps), NaN where one was not finite.
    """

    configuration: Configuration
    steps: Sequence[int]
    num_seeds: int
    values: Mapping[tuple[Quantity, int], FloatArray]

    def read_median(self, quantity: Quantity, layer: int) -> FloatArray:
        """The median over seeds at each step, NaN where a seed's value is not finite."""
        median: FloatArray = np.median(self.values[quantity, layer], axis=0)
        return median


def trace_layers(
    configurations: Sequence[ConfigurationRecord], statistics: Mapping[int, Sequence[LayerStatistics]]
) -> list[Trace]:
    """Trace the configurations with layer statistics, ``MOST_TRACES`` at most.

    Of more, the first of each normalization is traced, without a penalty where there is one. A trace covers
    the steps that all its configuration's runs with statistics have.
    """
    measured = [one for one in configurations if any(statistics[run.id] for run in one.runs)]
    traces = (_trace(one, statistics) for one in pick_comparable(measured, most=MOST_TRACES))
    return [trace for trace in traces if trace.steps]


def describe_choice(traces: Sequence[Trace], *, num_configurations: int) -> str:
    """Say which configurations are traced, where not all are; empty where all are."""
    if len(traces) == num_configurations:
        return ""
    if num_configurations <= MOST_TRACES:
        return f"{len(traces)} of {num_configurations} configurations have been measured."
    return (
        f"Of {num_configurations} configurations: the first of each normalization, without a penalty if "
        "there is one."
    )


def _trace(configuration: ConfigurationRecord, statistics: Mapping[int, Sequence[LayerStatistics]]) -> Trace:
    places = [_place(run, statistics) for run in configuration.runs if statistics[run.id]]
    steps = sorted(set.intersection(*({step for step, _ in place} for place in places)))
    config = configuration.config
    return Trace(
        configuration=Configuration(
            label=configuration.label, normalization=config.normalization, penalty=config.penalty
        ),
        steps=steps,
        num_seeds=len(places),
        values={
            (quantity, row.number): np.array(
                [[getattr(place[step, row.number], quantity) for step in steps] for place in places],
                dtype=np.float64,
            )
            for quantity in QUANTITIES
            for row in ROWS
        },
    )


def _place(
    run: RunRecord, statistics: Mapping[int, Sequence[LayerStatistics]]
) -> dict[tuple[int, int], LayerStatistics]:
    """One run's statistics by step and layer."""
    return {(layer.step, layer.layer): layer for layer in statistics[run.id]}
