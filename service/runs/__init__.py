"""Runs over HTTP: status, architecture, weights."""
