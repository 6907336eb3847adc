"""Paired comparisons of seeds: tests, intervals, summaries. Pure functions."""
