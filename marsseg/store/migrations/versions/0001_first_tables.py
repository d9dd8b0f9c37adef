"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_datasets_and_studies()
    create_runs()
    create_epochs_and_evaluations()
    create_events()
    create_leases()


def downgrade() -> None:
    for table in ("leases", "events", "evaluations", "epochs", "runs", "studies", "datasets"):
        op.drop_table(table)


def create_datasets_and_studies() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.Column("kept_groups", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
        sa.UniqueConstraint("name", name="uq_datasets_name"),
        sa.UniqueConstraint("sha256", name="uq_datasets_sha256"),
    )
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("baseline", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
    )


def create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("dropped_rows", sa.JSON(), nullable=False),
        sa.Column("study_id", sa.Integer()),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        sa.Column("stop_requested", sa.Boolean(), nullable=False),
        sa.Column("stop_now", sa.Boolean(), nullable=False),
        sa.Column("progress", sa.JSON()),
        sa.Column("heartbeat_at", sa.Double()),
        sa.Column("progress_at", sa.Double()),
        sa.Column("token", sa.String(64)),
        sa.Column("pid", sa.BigInteger()),
        sa.Column("process_created_at", sa.Double()),
        sa.Column("boot_id", sa.String(64)),
        sa.Column("parameters", sa.BigInteger()),
        sa.Column("class_weights", sa.JSON()),
        sa.Column("best_epoch", sa.Integer()),
        sa.Column("train_seconds", sa.Double()),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name="fk_runs_dataset_id_datasets", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.id"], name="fk_runs_study_id_studies", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_runs"),
        sa.UniqueConstraint("id", name="uq_runs_id"),
    )
    op.create_index("ix_runs_status_priority_position", "runs", ["status", "priority", "position"])
    for column in ("name", "fingerprint", "dataset_id", "study_id"):
        op.create_index(f"ix_runs_{column}", "runs", [column])


def create_epochs_and_evaluations() -> None:
    op.create_table(
        "epochs",
        sa.Column("run_id", sa.String(16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("loss", sa.Double()),
        sa.Column("val_loss", sa.Double()),
        sa.Column("val_terrain_miou", sa.Double()),
        sa.Column("val_class_iou", sa.JSON(), nullable=False),
        sa.Column("learning_rate", sa.Double()),
        sa.Column("seconds", sa.Double()),
        sa.Column("images_per_second", sa.Double()),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_epochs_run_id_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "epoch", name="pk_epochs"),
    )
    op.create_table(
        "evaluations",
        sa.Column("run_id", sa.String(16), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("decoding", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("total", sa.LargeBinary(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("confusions", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_evaluations_run_id_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "split", "decoding", name="pk_evaluations"),
    )
    op.create_index("ix_evaluations_totals", "evaluations", ["split", "decoding", "run_id", "total"])


def create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(16)),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_events_run_id_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_run_id", "events", ["run_id"])


def create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
