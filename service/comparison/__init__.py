"""Which differences between an experiment's configurations are real."""
