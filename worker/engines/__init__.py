"""What works out gradients and predictions, by device: compiled for the CPU, or PyTorch's operators."""
