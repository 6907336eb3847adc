"""Engines compute gradients and predictions: compiled for the CPU, or with PyTorch's operators."""
