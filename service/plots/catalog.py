"""Catalog of an experiment's plots, each drawn on request."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, get_args

from matplotlib.figure import Figure

from lab.database.tables import EpochMetric
from lab.datasets.load import DATASETS
from lab.errors import NotFoundError
from lab.experiments.tuning import Tuning
from lab.runs.epochs import LayerStatistics
from lab.runs.records import ExperimentRecord, RunRecord
from lab.wording import count_words
from service.comparison.answer import answer_all, choose_margin
from service.comparison.pairs import MAX_PAIRS
from service.comparison.schemas import PairOut
from service.comparison.scores import collect_scores, read_final_accuracies
from service.plots.curves import (
    METRIC_TITLES,
    Metric,
    Quantity,
    RunCurves,
    draw_metric,
    draw_overview,
    draw_run,
)
from service.plots.first_epoch import draw_first_epoch
from service.plots.groups import (
    describe_differences,
    make_batch_size_points,
    make_curves,
    make_tuning_points,
    rank_configurations,
    select_runs,
)
from service.plots.layer_traces import trace_layers
from service.plots.mean_curves import MOST_IN_ONE_PANEL, draw_means
from service.plots.ranking import draw_ranking
from service.plots.reliability import Reliability, draw_reliability
from service.plots.sweeps import draw_sweep
from service.plots.verdict_matrix import Verdict, draw_verdicts

Size = Literal["small", "half", "page"]

# Factors of the normalization itself do not divide panels that compare normalizations.
OF_NORMALIZATION = ("normalization", "groups", "affine", "penalize")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot: its name in addresses, its title, its size on a sheet of paper, and how to draw it.

    A small one may stand beside another; two of half a page fill a sheet.
    """

    name: str
    title: str
    draw: Callable[[], Figure]
    size: Size = "page"


class PlotCatalog:
    """The plots of an experiment, or of its runs with some normalizations.

    ``read_metrics`` gives each run's recorded epochs by run id; it is called when a curve is drawn.
    ``read_reliability`` gives the reliability of each configuration of some runs, ``read_layer_statistics``
    each run's layer statistics by run id.
    ``pairs`` are the experiment's judged pairs, judged here if not given. Verdicts are corrected for all of
    the experiment's pairs, even where not all are shown. ``is_compact`` draws curves on one panel small.

    Raises:
        InvalidRequestError: the experiment has no run with these normalizations.
    """

    def __init__(
        self,
        experiment: ExperimentRecord,
        *,
        read_metrics: Callable[[], Mapping[int, Sequence[EpochMetric]]],
        read_reliability: Callable[[Sequence[RunRecord]], Sequence[Reliability]],
        read_layer_statistics: Callable[[], Mapping[int, Sequence[LayerStatistics]]],
        pairs: Sequence[PairOut] | None = None,
        normalizations: Collection[str] | None = None,
        is_compact: bool = False,
    ) -> None:
        self._read_metrics = read_metrics
        self._read_reliability = read_reliability
        self._read_layer_statistics = read_layer_statistics
        self._judged_pairs = pairs
        self._is_compact = is_compact
        self._whole = experiment
        self._experiment = select_runs(experiment, normalizations)
        self._num_unfinished = sum(not run.is_completed for run in self._experiment.runs)
        self._configs = [configuration.config for configuration in self._experiment.configurations]

    @cached_property
    def plots(self) -> dict[str, Plot]:
        """The plots by name."""
        return {plot.name: plot for plot in self._list_plots()}

    def find(self, name: str) -> Plot:
        """Find the plot with that name.

        Raises:
            NotFoundError: there is none.
        """
        if name not in self.plots:
            path = f"/experiments/{self._experiment.id}"
            raise NotFoundError(
                f"Experiment {self._experiment.id} has no plot {name!r}; GET {path}/plots lists its plots."
            )
        return self.plots[name]

    def _list_plots(self) -> Iterator[Plot]:
        small: Size = "small" if self._is_compact else "page"
        has_seeds = len(self._experiment.runs) > len(self._configs)
        yield Plot(name="overview", title="All curves", draw=self._draw_overview)
        for metric, title in METRIC_TITLES.items():
            yield Plot(name=metric, title=title, draw=partial(self._draw_metric, metric), size=small)
        if has_seeds:
            is_one_panel = len(self._configs) <= MOST_IN_ONE_PANEL
            for metric, title in METRIC_TITLES.items():
                yield Plot(
                    name=f"mean-{metric}",
                    title=f"{title}, mean over seeds",
                    draw=partial(self._draw_means, metric),
                    size=small if is_one_panel else "page",
                )
        if len(self._configs) > 1:
            yield Plot(name="ranking", title="Ranking with intervals", draw=self._draw_ranking)
        if len(self._configs) > 1 and len(self._whole.configurations) ** 2 <= 2 * MAX_PAIRS:
            yield Plot(name="verdicts", title="Pairwise verdicts", draw=self._draw_verdicts)
        if len({config.batch_size for config in self._configs}) > 1:
            title = "Final test accuracy by batch size"
            yield Plot(name="batch-size", title=title, draw=self._draw_batch_sizes)
        if self._experiment.tuning is not None and self._experiment.tuning.points:
            yield Plot(
                name="tuning",
                title="Accuracy on held-out images by learning rate",
                draw=partial(self._draw_tuning, self._experiment.tuning),
            )
        title = "Gradients and activations in the first epoch"
        yield Plot(name="first-epoch", title=title, draw=self._draw_first_epoch)
        if any(run.is_completed for run in self._experiment.runs):
            yield Plot(
                name="reliability",
                title="Confidence and accuracy",
                draw=partial(self._draw_reliability, self._experiment.runs, title=self._experiment.name),
            )
        if has_seeds:
            for place, config in enumerate(self._configs, start=1):
                yield Plot(
                    name=f"configuration-{place}",
                    title=f"{config.label}: all seeds",
                    draw=partial(self._draw_configuration, config.label),
                    size="half",
                )
        for run in self._experiment.runs:
            yield from self._list_run_plots(run, size=small)

    def _list_run_plots(self, run: RunRecord, *, size: Size) -> Iterator[Plot]:
        name = f"{run.config.label}, seed {run.config.seed}"
        for quantity in get_args(Quantity):
            yield Plot(
                name=f"run-{run.id}-{quantity}",
                title=f"{name}: {quantity}",
                draw=partial(self._draw_run, run.id, quantity),
                size=size,
            )
        if run.is_completed:
            title = f"{name}: confidence and accuracy"
            yield Plot(
                name=f"run-{run.id}-reliability",
                title=title,
                draw=partial(self._draw_reliability, [run], title=title),
                size=size,
            )

    @cached_property
    def _curves(self) -> dict[int, RunCurves]:
        metrics = self._read_metrics()
        return {run.id: make_curves(run, metrics[run.id]) for run in self._experiment.runs}

    @cached_property
    def _pairs(self) -> Sequence[PairOut]:
        if self._judged_pairs is not None:
            return self._judged_pairs
        scores = collect_scores(self._whole, read_final_accuracies(self._whole))
        margin = choose_margin(DATASETS[self._whole.dataset].test_size)
        return answer_all(scores, margin=margin, level=self._whole.level).pairs

    def _draw_overview(self) -> Figure:
        return draw_overview(list(self._curves.values()), title=self._experiment.name)

    def _draw_metric(self, metric: Metric) -> Figure:
        return draw_metric(list(self._curves.values()), metric=metric, is_compact=self._is_compact)

    def _draw_means(self, metric: Metric) -> Figure:
        panels = describe_differences(self._configs, leave_out=OF_NORMALIZATION)
        return draw_means(
            list(self._curves.values()), metric=metric, panel_by_label=panels, is_compact=self._is_compact
        )

    def _draw_ranking(self) -> Figure:
        title = f"{self._experiment.name}: final test accuracy"
        ranked = rank_configurations(self._experiment)
        return draw_ranking(ranked, title=title, num_unfinished=self._num_unfinished)

    def _draw_verdicts(self) -> Figure:
        labels = [one.label for one in rank_configurations(self._experiment)]
        verdicts = [
            Verdict(
                a=pair.a,
                b=pair.b,
                outcome=pair.outcome,
                difference=pair.difference,
                is_confounded=len(pair.differing) > 1,
            )
            for pair in self._pairs
            if pair.a in labels and pair.b in labels
        ]
        title = f"{self._experiment.name}: which is better"
        num_tests = max((pair.num_tests for pair in self._pairs), default=0)
        return draw_verdicts(verdicts, labels=labels, title=title, num_tests=num_tests)

    def _draw_batch_sizes(self) -> Figure:
        notes = [f"Runs left out, as not completed: {self._num_unfinished}."] if self._num_unfinished else []
        return draw_sweep(
            make_batch_size_points(self._experiment),
            title="Final test accuracy by batch size",
            setting="Batch size",
            accuracy="Final test accuracy",
            notes=notes,
        )

    def _draw_tuning(self, tuning: Tuning) -> Figure:
        return draw_sweep(
            make_tuning_points(self._experiment, tuning),
            title=f"{self._experiment.name}: learning rates",
            setting="Learning rate",
            accuracy="Accuracy on held-out images",
            notes=[f"After {count_words(tuning.epochs, 'epoch')}. Ringed: chosen."],
            has_intervals=False,
        )

    def _draw_reliability(self, runs: Sequence[RunRecord], *, title: str) -> Figure:
        return draw_reliability(self._read_reliability(runs), title=title)

    def _draw_first_epoch(self) -> Figure:
        configurations = self._experiment.configurations
        return draw_first_epoch(
            trace_layers(configurations, self._read_layer_statistics()),
            title=f"{self._experiment.name}: first epoch, layer by layer",
            num_configurations=len(configurations),
        )

    def _draw_configuration(self, label: str) -> Figure:
        return draw_overview([run for run in self._curves.values() if run.label == label], title=label)

    def _draw_run(self, run_id: int, quantity: Quantity) -> Figure:
        return draw_run(self._curves[run_id], quantity=quantity, is_compact=self._is_compact)
