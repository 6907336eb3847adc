"""Plots of an experiment: curves, rankings, verdicts."""
