"""Normalization statistics worked out step by step, in exact fractions."""
