"""A minute of chaos; ``make chaos`` does five, with other dice each time."""

from pathlib import Path

import pytest

from tests.chaos.storm import Plan, Storm

pytestmark = pytest.mark.slow

SEED = 7_940
SECONDS = 30.0


def test_no_run_is_lost_or_run_twice_or_lied_about(tmp_path: Path) -> None:
    report = Storm(Plan(seed=SEED, seconds=SECONDS), folder=tmp_path).run()

    assert not report.violations, report.describe()
    # Otherwise nothing was put to the test.
    assert report.counts["workers killed"] >= 2, report.describe()
    assert report.counts["services killed"] >= 1, report.describe()
    assert report.num_identical >= 3, report.describe()
