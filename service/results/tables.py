"""Results as CSV, Markdown and LaTeX."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from lab.statistics.summaries import Summary
from lab.wording import format_percent
from service.markdown import escape, write_table
from service.results.configurations import SUMMARIES, ConfigurationResult
from service.results.runs import ResultRow

CONFIGURATION_HEADINGS = (
    "configuration",
    "parameters",
    "seeds",
    "test % (mean ± 95 %)",
    "SD",
    "min to max",
    "at best validation",
    "test loss",
    "train − test",
    "last-5 SD",
    "ECE",
    "seconds",
)
CONFIGURATION_NOTE = (
    "Last epoch of completed runs. Accuracies in %, differences and SDs in points; ± is half the 95 % t "
    "interval of the mean; at best validation: the epoch that the held-out images choose; last-5 SD: of test "
    "accuracy over a run's last five epochs, averaged over seeds; ECE: expected calibration error, in points."
)
RUN_HEADINGS = (
    "run",
    "seed",
    "parameters",
    "best test % (epoch)",
    "last test %",
    "last-5 mean %",
    "last test loss",
    "last train %",
    "ECE",
    "seconds",
)
LATEX_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "−": r"$-$",
        "–": "--",
        "×": r"$\times$",
        "λ": r"$\lambda$",
        **{character: f"\\{character}" for character in "&%$#_{}"},
    }
)


def write_run_csv(rows: Sequence[ResultRow]) -> str:
    """A line a run."""
    names = [field.name for field in fields(ResultRow)]
    return _write_csv(names, [asdict(row) for row in rows])


def write_configuration_csv(results: Sequence[ConfigurationResult]) -> str:
    """Write one line per configuration; summaries fill columns such as ``final_test_accuracy_mean``."""
    figures = [field.name for field in fields(Summary)]
    plain = [field.name for field in fields(ConfigurationResult) if field.name not in SUMMARIES]
    names = [*plain, *(f"{summary}_{figure}" for summary in SUMMARIES for figure in figures)]
    lines = []
    for result in results:
        values = asdict(result)
        line = {name: values[name] for name in plain}
        for summary in SUMMARIES:
            for figure, value in (values[summary] or {}).items():
                line[f"{summary}_{figure}"] = value
        lines.append(line)
    return _write_csv(names, lines)


def write_markdown(
    rows: Sequence[ResultRow],
    results: Sequence[ConfigurationResult],
    *,
    title: str,
    warnings: Sequence[str],
) -> str:
    """Both tables as Markdown, first the configurations if any has several seeds, the warnings below."""
    sections = [f"## {escape(title)}"]
    if any(result.num_runs > 1 for result in results):
        cells = [list_configuration_cells(result) for result in results]
        sections += [write_table(CONFIGURATION_HEADINGS, cells), CONFIGURATION_NOTE]
    sections.append(write_table(RUN_HEADINGS, [list_run_cells(row) for row in rows]))
    if warnings:
        sections.append("\n".join(f"- {escape(warning)}" for warning in warnings))
    return "\n\n".join(sections) + "\n"


def write_latex(results: Sequence[ConfigurationResult], *, title: str, warnings: Sequence[str]) -> str:
    """The table of configurations for LaTeX with booktabs, the warnings below it."""
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(title)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(CONFIGURATION_HEADINGS) - 1)}}}",
        r"\toprule",
        _write_latex_row(CONFIGURATION_HEADINGS),
        r"\midrule",
        *(_write_latex_row(list_configuration_cells(result)) for result in results),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip\footnotesize {escape_latex(note)}" for note in (CONFIGURATION_NOTE, *warnings)),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """The text as LaTeX prints it, on one line."""
    return " ".join(text.split()).translate(LATEX_ESCAPES)


def list_configuration_cells(result: ConfigurationResult) -> list[str]:
    """A configuration's figures under ``CONFIGURATION_HEADINGS``."""
    accuracy, loss, gap = result.final_test_accuracy, result.final_test_loss, result.accuracy_gap
    chosen, seconds = result.test_accuracy_at_best_validation, result.seconds
    is_complete = result.num_completed == result.num_runs
    return [
        result.label,
        f"{result.parameters:,}",
        f"{result.num_completed}" if is_complete else f"{result.num_completed} of {result.num_runs}",
        _write_mean(accuracy),
        format_percent(accuracy.sd if accuracy else None),
        f"{format_percent(accuracy.min)} to {format_percent(accuracy.max)}" if accuracy else "–",
        _write_mean(chosen),
        f"{loss.mean:.4f}" if loss else "–",
        format_percent(gap.mean if gap else None),
        format_percent(result.stability),
        _write_mean(result.calibration_error),
        f"{seconds.mean:.0f}" if seconds else "–",
    ]


def list_run_cells(row: ResultRow) -> list[str]:
    """A run's figures under ``RUN_HEADINGS``."""
    return [
        row.label,
        str(row.seed),
        f"{row.parameters:,}",
        f"{format_percent(row.best_test_accuracy)} ({row.best_test_epoch})" if row.best_test_epoch else "–",
        format_percent(row.final_test_accuracy),
        format_percent(row.last_five_test_accuracy),
        f"{row.final_test_loss:.4f}" if row.final_test_loss is not None else "–",
        format_percent(row.final_train_accuracy),
        format_percent(row.calibration_error),
        f"{row.seconds:.0f}",
    ]


def _write_csv(names: Sequence[str], lines: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def _write_latex_row(cells: Sequence[str]) -> str:
    return " & ".join(escape_latex(cell) for cell in cells) + r" \\"


def _write_mean(summary: Summary | None) -> str:
    if summary is None or summary.ci_high is None:
        return format_percent(summary.mean if summary else None)
    return f"{format_percent(summary.mean)} ± {format_percent(summary.ci_high - summary.mean)}"
