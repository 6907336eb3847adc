"""The durable job queue and the workers that take jobs from it."""
