"""The study's appendix: normalization statistics worked out exactly, step by step."""
