"""Data sets and the pixels networks are trained on."""
