"""Runs that cannot begin before others have ended; what an extended run was before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("before_extension", sa.JSON()))
    op.create_table(
        "needs",
        sa.Column("run_id", sa.String(16), nullable=False),
        sa.Column("needed_id", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "needed_id", name="pk_needs"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_needs_run_id_runs", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["needed_id"], ["runs.id"], name="fk_needs_needed_id_runs", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_needs_needed_id", "needs", ["needed_id"])


def downgrade() -> None:
    op.drop_index("ix_needs_needed_id", "needs")
    op.drop_table("needs")
    with op.batch_alter_table("runs") as batch:
        batch.drop_column("before_extension")
