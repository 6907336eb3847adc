"""Results of runs and configurations, as JSON and tables."""
