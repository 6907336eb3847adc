"""Training report by report, for tests that do not ask which runs ended an epoch together."""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any

from lab.datasets.load import Dataset
from lab.experiments.configs import RunConfig
from lab.runs.epochs import EpochReport
from worker.training import train as training


def train(runs: Sequence[RunConfig], data: Dataset, **options: Any) -> Generator[EpochReport, None, None]:
    with closing(training.train(runs, data, **options)) as reports:
        for together in reports:
            yield from together
