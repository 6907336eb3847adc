"""Experiments over HTTP: submit, list, control, follow."""
