"""Some seconds of chaos; ``make chaos`` runs five minutes with a new seed each time."""

from pathlib import Path

import pytest

from tests.chaos.chaos_run import ChaosRun, Plan

pytestmark = pytest.mark.slow

# It draws the kills of all workers and of the service first.
SEED = 7_972
SECONDS = 12.0


def test_no_run_is_lost_or_run_twice_or_lied_about(tmp_path: Path) -> None:
    report = ChaosRun(Plan(seed=SEED, seconds=SECONDS), folder=tmp_path).run()

    assert not report.violations, report.describe()
    # Otherwise nothing was tested.
    assert report.counts["workers killed"] >= 2, report.describe()
    assert report.counts["services killed"] >= 1, report.describe()
    assert report.num_identical >= 3, report.describe()
