"""Runs in the database: queueing, status, progress, results."""
