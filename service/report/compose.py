"""An experiment's report, put together."""

from collections import Counter

from lab.wording import count_words
from service.report.blocks import Report
from service.report.data import Material
from service.report.sections.findings import write_conclusions, write_verdicts
from service.report.sections.first_epoch import write_first_epoch
from service.report.sections.limits import write_limitations, write_references
from service.report.sections.method import write_appendix, write_method
from service.report.sections.mistakes import write_mistakes
from service.report.sections.reproduce import write_provenance
from service.report.sections.results import write_consolidated, write_results, write_single
from service.report.sections.setup import write_architecture, write_configurations, write_objective
from service.report.sections.tuning import write_tuning


def compose_report(material: Material, *, base_url: str) -> Report:
    """The report; figures are drawn when a writer asks for them."""
    return Report(
        title=material.experiment.name,
        facts=_list_facts(material),
        missing=_list_missing(material),
        sections=[
            write_objective(material),
            write_conclusions(material, base_url=base_url),
            write_configurations(material),
            *write_tuning(material),
            write_results(material),
            write_verdicts(material),
            write_consolidated(material),
            write_single(material),
            write_first_epoch(material),
            write_mistakes(material),
            write_architecture(material),
            write_method(material),
            write_limitations(material),
            write_provenance(material, base_url=base_url),
            write_references(),
            write_appendix(),
        ],
    )


def _list_facts(material: Material) -> list[tuple[str, str]]:
    experiment = material.experiment
    epochs = sorted({run.config.epochs for run in experiment.runs})
    return [
        ("Experiment", f"{experiment.id}" + (f", preset {experiment.preset}" if experiment.preset else "")),
        ("Data set", material.dataset.title),
        ("Status", experiment.status),
        ("Configurations", str(len(material.experiment.configurations))),
        ("Seeds", str(len(material.seeds))),
        ("Epochs", " or ".join(map(str, epochs)) if len(epochs) <= 3 else f"{epochs[0]} to {epochs[-1]}"),
        ("Submitted", f"{experiment.created_at:%Y-%m-%d %H:%M} UTC"),
    ]


def _list_missing(material: Material) -> list[str]:
    """List what is not available yet, in sentences."""
    runs = material.experiment.runs
    waiting = Counter(run.status for run in runs if not run.is_completed)
    missing = list(material.gaps)
    if waiting:
        parts = ", ".join(f"{number} {status}" for status, number in waiting.items())
        missing.insert(
            0,
            f"{len(material.completed)} of {count_words(len(runs), 'run')} completed ({parts}). Only "
            "completed runs count in results and verdicts; curves show what there is.",
        )
    missing += [
        f"{run.config.label}, seed {run.config.seed} failed: {run.error}" for run in runs if run.error
    ]
    return missing
