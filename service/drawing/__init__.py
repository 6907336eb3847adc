"""Shared drawing tools for matplotlib figures."""
