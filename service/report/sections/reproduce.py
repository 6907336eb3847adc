"""Provenance of the results: devices, versions, seeds, and the request that repeats them."""

import json
import shlex
from collections import Counter

from lab.runs.records import RunRecord
from lab.wording import count_words
from service.report.blocks import Bullets, Code, Paragraph, Section, Table
from service.report.data import Material
from service.versions import list_versions


def write_provenance(material: Material, *, base_url: str) -> Section:
    """Write how to repeat the experiment, and what else its results depend on."""
    words = "This request queues the same runs with the same seeds:"
    if material.repeating_request is None:
        words = "No request of this version means the same runs. What was asked at the time:"
    body = json.dumps(material.repeating_request or material.request, ensure_ascii=False)
    devices = Counter(_describe_device(run) for run in material.experiment.runs if run.device)
    trained = [f"{device}: {count_words(number, 'run')}" for device, number in devices.items()]
    seconds = sum(row.seconds for row in material.rows)
    return Section(
        "repeat",
        "How to repeat it",
        [
            Paragraph(words),
            Code(f"curl -X POST {base_url}/experiments -d {shlex.quote(body)}"),
            Paragraph(
                "The same configuration, seed, engine and PyTorch give the same numbers, bit for bit, with "
                "the compiled CPU engine whatever the number of threads. With another engine or version they "
                "differ as another seed would."
            ),
            Bullets(
                [
                    f"Seeds: {', '.join(map(str, material.seeds))}.",
                    f"Trained on: {'; '.join(trained) or 'nothing yet'}.",
                    f"Training time recorded: {seconds:,.0f} s, summed over "
                    f"{count_words(len(material.experiment.runs), 'run')}.",
                ]
            ),
            Table(
                headings=("what the service runs with", "version"),
                rows=list(list_versions().items()),
            ),
        ],
    )


def _describe_device(run: RunRecord) -> str:
    return f"{run.device}, engine {run.variant}" if run.variant else str(run.device)
