"""Digit prediction: from an uploaded picture to an answer."""
