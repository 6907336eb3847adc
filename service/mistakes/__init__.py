"""Misclassified test images and confusion matrices."""
