"""Record layer statistics: gradient norms and activations of each layer over a run's first epoch."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "layer_statistics",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("step", sa.Integer(), primary_key=True),
        sa.Column("layer", sa.Integer(), primary_key=True),
        sa.Column("activation_mean", sa.Float(), nullable=True),
        sa.Column("activation_variance", sa.Float(), nullable=True),
        sa.Column("gradient_norm", sa.Float(), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("layer_statistics")
