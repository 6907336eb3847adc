"""An experiment's plots by name, each drawn when it is asked for."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import get_args

from matplotlib.figure import Figure
from sqlalchemy.orm import Session

from lab.errors import InvalidRequestError, NotFoundError
from lab.experiments.configs import NORMALIZATIONS
from lab.runs.records import ExperimentRecord, read_metrics
from service.comparison.pairs import MAX_PAIRS, compare_pairs
from service.comparison.schemas import PairOut
from service.comparison.scores import collect_scores
from service.plots.batch_sizes import draw_batch_sizes
from service.plots.curves import (
    METRIC_TITLES,
    Metric,
    Quantity,
    RunCurves,
    draw_metric,
    draw_overview,
    draw_run,
)
from service.plots.groups import (
    describe_differences,
    group_by_label,
    make_batch_size_points,
    make_curves,
    rank_configurations,
)
from service.plots.mean_curves import MOST_IN_ONE_PANEL, draw_means
from service.plots.ranking import draw_ranking
from service.plots.verdict_matrix import Verdict, draw_verdicts

# What belongs to the normalization itself, and so does not part panels that compare normalizations.
OF_NORMALIZATION = ("normalization", "groups", "affine", "penalize")


class PlotCatalog:
    """The plots of an experiment, or of its runs with some normalizations.

    Verdicts are corrected for all of the experiment's pairs, also where not all are shown. ``is_compact``
    draws curves on one panel small.

    Raises:
        InvalidRequestError: a normalization that is not there.
    """

    def __init__(
        self,
        session: Session,
        experiment: ExperimentRecord,
        *,
        normalizations: str | None = None,
        is_compact: bool = False,
    ) -> None:
        self._session = session
        self._is_compact = is_compact
        self._whole = experiment
        self._experiment = select_runs(experiment, normalizations)
        self._num_unfinished = sum(not run.is_completed for run in self._experiment.runs)
        self._configs = [runs[0].config for runs in group_by_label(self._experiment.runs).values()]

    @cached_property
    def titles(self) -> dict[str, str]:
        """What each plot shows, by its name."""
        return {name: title for name, (title, _) in self._plots.items()}

    def is_small(self, name: str) -> bool:
        """Whether the plot is drawn small enough to stand beside another."""
        is_one_panel = not name.startswith("mean-") or len(self._configs) <= MOST_IN_ONE_PANEL
        is_curve = name.startswith(("run-", "mean-")) or name in METRIC_TITLES
        return self._is_compact and is_one_panel and is_curve

    def draw(self, name: str) -> Figure:
        """The plot of that name.

        Raises:
            NotFoundError: there is none of that name.
        """
        if name not in self._plots:
            path = f"/experiments/{self._experiment.id}"
            raise NotFoundError(
                f"Experiment {self._experiment.id} has no plot {name!r}; GET {path}/plots lists those it has."
            )
        return self._plots[name][1]()

    @cached_property
    def _plots(self) -> dict[str, tuple[str, Callable[[], Figure]]]:
        plots: dict[str, tuple[str, Callable[[], Figure]]] = {"overview": ("All curves", self._draw_overview)}
        for metric, title in METRIC_TITLES.items():
            plots[metric] = (title, partial(self._draw_metric, metric))
        if len(self._experiment.runs) > len(self._configs):
            for metric, title in METRIC_TITLES.items():
                plots[f"mean-{metric}"] = (f"{title}, mean over seeds", partial(self._draw_means, metric))
        if len(self._configs) > 1:
            plots["ranking"] = ("Ranking with intervals", self._draw_ranking)
        if len(self._configs) > 1 and len(self._whole_labels) ** 2 <= 2 * MAX_PAIRS:
            plots["verdicts"] = ("Pairwise verdicts", self._draw_verdicts)
        if len({config.batch_size for config in self._configs}) > 1:
            plots["batch-size"] = ("Final test accuracy by batch size", self._draw_batch_sizes)
        if len(self._experiment.runs) > len(self._configs):
            for place, config in enumerate(self._configs, start=1):
                draw = partial(self._draw_configuration, config.label)
                plots[f"configuration-{place}"] = (f"{config.label}: all seeds", draw)
        for run in self._experiment.runs:
            label = f"{run.config.label}, seed {run.config.seed}"
            for quantity in get_args(Quantity):
                plots[f"run-{run.id}-{quantity}"] = (
                    f"{label}: {quantity}",
                    partial(self._draw_run, run.id, quantity),
                )
        return plots

    @cached_property
    def _curves(self) -> dict[int, RunCurves]:
        metrics = read_metrics(self._session, [run.id for run in self._experiment.runs])
        return {run.id: make_curves(run, metrics[run.id]) for run in self._experiment.runs}

    @cached_property
    def _whole_labels(self) -> list[str]:
        return list(group_by_label(self._whole.runs))

    @cached_property
    def _pairs(self) -> list[PairOut]:
        accuracies = {
            run.id: run.last_metric.test_accuracy if run.last_metric else None for run in self._whole.runs
        }
        return compare_pairs(collect_scores(self._whole, accuracies), only_correct=None)

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
        points = make_batch_size_points(self._experiment)
        title = "Final test accuracy by batch size"
        return draw_batch_sizes(points, title=title, num_unfinished=self._num_unfinished)

    def _draw_configuration(self, label: str) -> Figure:
        return draw_overview([run for run in self._curves.values() if run.label == label], title=label)

    def _draw_run(self, run_id: int, quantity: Quantity) -> Figure:
        return draw_run(self._curves[run_id], quantity=quantity, is_compact=self._is_compact)


def select_runs(experiment: ExperimentRecord, normalizations: str | None) -> ExperimentRecord:
    """The experiment with only the runs of these normalizations, comma-separated; all if None.

    Raises:
        InvalidRequestError: a name that is no normalization, or none that the experiment has.
    """
    if normalizations is None:
        return experiment
    wanted = {name.strip() for name in normalizations.split(",")}
    if unknown := wanted.difference(NORMALIZATIONS):
        raise InvalidRequestError(
            f"normalizations has {min(unknown)!r}; it can have {', '.join(NORMALIZATIONS)}, "
            "separated by commas."
        )
    runs = [run for run in experiment.runs if run.config.normalization in wanted]
    if not runs:
        present = dict.fromkeys(run.config.normalization for run in experiment.runs)
        raise InvalidRequestError(
            f"Experiment {experiment.id} has no run with {normalizations}; it has {', '.join(present)}."
        )
    return replace(experiment, runs=runs)
