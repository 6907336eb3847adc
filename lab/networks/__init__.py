"""The study's network as PyTorch modules."""
