"""Checkpoint pointers; launches, threads and GPUs of runs; notes, tags, archive; pause of the queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RUN_COLUMNS = ("launches", "threads", "gpu", "notes", "tags", "archived")


def upgrade() -> None:
    for column in (
        sa.Column("launches", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("threads", sa.Integer()),
        sa.Column("gpu", sa.String(64)),
        sa.Column("notes", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("tags", sa.JSON(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("runs", column)
    op.add_column("epochs", sa.Column("checkpoint", sa.String(64)))
    point_to_checkpoints()
    count_launches()
    op.create_table(
        "switches",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_switches"),
    )


def downgrade() -> None:
    op.drop_table("switches")
    with op.batch_alter_table("epochs") as batch:
        batch.drop_column("checkpoint")
    with op.batch_alter_table("runs") as batch:
        for name in RUN_COLUMNS:
            batch.drop_column(name)


def point_to_checkpoints() -> None:
    """Until now the name of a checkpoint followed from its epoch; most are gone, and whoever reads looks."""
    epochs = sa.table("epochs", sa.column("epoch", sa.Integer), sa.column("checkpoint", sa.String))
    digits = sa.cast(epochs.c.epoch, sa.String)
    padded = sa.case(
        (epochs.c.epoch < 10, "000" + digits),
        (epochs.c.epoch < 100, "00" + digits),
        (epochs.c.epoch < 1000, "0" + digits),
        else_=digits,
    )
    op.execute(epochs.update().values(checkpoint="epoch-" + padded + ".npz"))


def count_launches() -> None:
    """Each launch until now left an event."""
    runs = sa.table("runs", sa.column("id", sa.String), sa.column("launches", sa.Integer))
    events = sa.table("events", sa.column("run_id", sa.String), sa.column("kind", sa.String))
    launches = (
        sa.select(sa.func.count())
        .where(events.c.run_id == runs.c.id, events.c.kind == "starting")
        .scalar_subquery()
    )
    op.execute(runs.update().values(launches=launches))
