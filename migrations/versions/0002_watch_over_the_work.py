"""Watch over the work: priorities, attempts, workers that are heard of, and indexes for long lists."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("experiments", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("num_attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("last_problem", sa.String(), nullable=True))
    op.create_table(
        "workers",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at_seconds", sa.Float(), nullable=False),
        sa.Column("idle_seconds", sa.Float(), nullable=True),
    )
    op.create_index(
        "ix_runs_open",
        "runs",
        ["experiment_id"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_runs_open", "runs")
    op.drop_table("workers")
    op.drop_column("runs", "last_problem")
    op.drop_column("runs", "num_attempts")
    op.drop_column("experiments", "priority")
