"""Comparison of configurations: pairs, factors, verdicts."""
