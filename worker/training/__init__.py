"""Training: PyTorch, NumPy and the standard library only."""
