"""The chaos run: what is promised of runs must hold whatever dies, whenever it dies."""
