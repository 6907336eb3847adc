"""Reliability diagrams of an experiment and of its runs."""

from fastapi.testclient import TestClient

from lab.statistics.calibration import ReliabilityBin
from service.plots.reliability import Reliability, draw_reliability


def make_reliability(label: str, error: float) -> Reliability:
    bins = [ReliabilityBin(count=10, confidence=0.9, accuracy=0.9 - error)]
    return Reliability(
        label=label,
        normalization="batch",
        raw=bins,
        calibrated=bins,
        error=error,
        calibrated_error=0.01,
    )


def test_each_configuration_has_a_panel_the_best_calibrated_first() -> None:
    figure = draw_reliability([make_reliability("bad", 0.2), make_reliability("good", 0.02)], title="Two")

    titles = [panel.get_title(loc="left") for panel in figure.axes if panel.get_title(loc="left")]
    assert titles == ["good\nECE 2.00 → 1.00", "bad\nECE 20.00 → 1.00"]


def test_completed_runs_have_a_diagram(trained_client: TestClient) -> None:
    names = {plot["name"] for plot in trained_client.get("/experiments/1/plots").json()["plots"]}

    assert {"reliability", "run-1-reliability", "run-2-reliability"} <= names
    assert "run-3-reliability" not in names
    for name in ("reliability", "run-1-reliability"):
        assert trained_client.get(f"/experiments/1/plots/{name}.svg").status_code == 200


def test_results_have_each_runs_calibration(trained_client: TestClient) -> None:
    results = trained_client.get("/experiments/1/results").json()

    first, _, queued = results["runs"]
    assert 0 < first["calibration_error"] < 1
    assert 0 < first["calibrated_error"] < 1
    assert first["temperature"] > 0
    assert queued["temperature"] is None
    assert results["configurations"][0]["calibration_error"]["mean"] == first["calibration_error"]
