"""Train runs in bundles: what a worker trains at once, with whom a run was trained, and by which engine."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("variant", sa.String(), nullable=True))
    op.add_column("runs", sa.Column("bundle", sa.JSON(), nullable=True))
    op.add_column("workers", sa.Column("bundle_size", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    op.drop_column("workers", "bundle_size")
    op.drop_column("runs", "bundle")
    op.drop_column("runs", "variant")
