"""Plan looks until an experiment is settled, and let runs wait for tuned learning rates."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("experiments", _make_flag("is_settling"))
    op.add_column("experiments", sa.Column("tuning", sa.JSON(), nullable=True))
    op.add_column("runs", _make_flag("is_waiting"))


def downgrade() -> None:
    op.drop_column("runs", "is_waiting")
    op.drop_column("experiments", "tuning")
    op.drop_column("experiments", "is_settling")


def _make_flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
