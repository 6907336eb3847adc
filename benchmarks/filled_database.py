"""A database as years of use leave it: mostly finished experiments, the newest in every status."""

import json
from pathlib import Path

from lab.database.engine import Database
from lab.experiments.configs import RunConfig
from lab.queue.job_queue import upgrade_queue

NUM_RUNS = 24
NUM_EPOCHS = 25
# The newest; the others are completed or failed.
NUM_UNFINISHED = 20

FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :num_experiments)
INSERT INTO experiments (id, name, dataset, request, created_at, priority)
SELECT n, 'x', iif(n % 3 = 0, 'mnist', 'digits'), '{}', '2026-01-01 00:00:00.000000', 0 FROM numbers;

WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :num_runs)
INSERT INTO runs (experiment_id, config, job_id, is_paused, num_attempts, finished_at, error)
SELECT experiments.id, :config, 'job-' || experiments.id || '-' || n, 0, 0, '2026-01-01 00:00:00.000000',
    iif(experiments.id % 10 = 0, 'Because.', NULL)
FROM experiments CROSS JOIN numbers;

WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :num_epochs)
INSERT INTO epoch_metrics (
    run_id, epoch, learning_rate, seconds, train_loss, train_accuracy, test_loss, test_accuracy
)
SELECT runs.id, n, 0.1, 1.0, 0.5, 0.5, 0.5, n / 100.0 FROM runs CROSS JOIN numbers;

INSERT INTO workflow_status (workflow_uuid, status, queue_name, executor_id, priority, created_at, updated_at)
SELECT job_id, 'SUCCESS', 'training', 'worker-1', 1000, id, id FROM runs;

UPDATE runs SET finished_at = NULL, error = NULL WHERE experiment_id > :num_experiments - :num_unfinished;

UPDATE workflow_status SET status = CASE experiment_id % 5
    WHEN 0 THEN iif(job_id LIKE '%-1', 'PENDING', 'ENQUEUED') WHEN 1 THEN 'DELAYED' ELSE 'ENQUEUED' END
FROM runs WHERE job_id = workflow_uuid AND finished_at IS NULL;

UPDATE runs SET job_id = NULL, is_paused = experiment_id % 5 = 2
WHERE finished_at IS NULL AND experiment_id % 5 IN (2, 3);
"""


def fill_database(folder: Path, *, num_experiments: int) -> Database:
    """Make a database of ``num_experiments`` with ``NUM_RUNS`` runs each; the finished have all epochs."""
    database = Database(f"sqlite:///{folder}/lab.db")
    database.upgrade()
    upgrade_queue(database)
    config = RunConfig(dataset="digits", schedule="constant", epochs=NUM_EPOCHS)
    values = {
        "config": json.dumps(config.to_json()),
        "num_experiments": num_experiments,
        "num_unfinished": NUM_UNFINISHED,
        "num_runs": NUM_RUNS,
        "num_epochs": NUM_EPOCHS,
    }
    with database.engine.begin() as connection:
        for statement in FILL.split(";\n"):
            connection.exec_driver_sql(statement, values)
    return database
