"""The arithmetic of comparisons. Pure: numbers in, numbers out."""
