"""Experiments as plain data: configurations, presets, factors, the architecture table."""
