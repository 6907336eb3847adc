"""What training hands over, compared."""

from dataclasses import replace

import torch

from lab.runs.epochs import EpochReport


def assert_identical(ours: list[EpochReport], theirs: list[EpochReport]) -> None:
    """All but the durations is the same, bit for bit."""
    assert len(ours) == len(theirs)
    for first, second in zip(ours, theirs, strict=True):
        plain = [
            replace(
                report,
                seconds=0.0,
                test_log_probabilities=torch.empty(0),
                state=replace(report.state, weights={}, momentum={}),
            )
            for report in (first, second)
        ]
        assert repr(plain[0]) == repr(plain[1])
        assert torch.equal(first.test_log_probabilities, second.test_log_probabilities)
        for name, tensor in second.state.weights.items():
            assert torch.equal(first.state.weights[name], tensor), name
        assert first.state.momentum.keys() == second.state.momentum.keys()
        for name, tensor in second.state.momentum.items():
            assert torch.equal(first.state.momentum[name], tensor), name
