"""The tables. Rows never leave this room: callers get the frozen values of `records`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from marsseg.store.records import RunStatus

NAME_LENGTH = 200

_json = JSON(none_as_null=True)
_status = Enum(
    RunStatus,
    native_enum=False,
    create_constraint=False,
    length=16,
    values_callable=lambda statuses: [status.value for status in statuses],
)


class Base(DeclarativeBase):
    """Named constraints, so that a later migration can find them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - declared so by SQLAlchemy
        float: Double,
        dict[str, Any]: _json,
        list[Any]: _json,
        bytes: LargeBinary,
        RunStatus: _status,
    }


class DatasetRow(Base):
    """An imported dataset; its arrays lie in the folder named by `sha256`."""

    __tablename__ = "datasets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    source: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float]
    meta: Mapped[dict[str, Any]]
    kept_groups: Mapped[list[Any]]


class StudyRow(Base):
    """A planned set of runs."""

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[float]
    baseline: Mapped[str] = mapped_column(Text)


class RunRow(Base):
    """A run. `number` counts insertions, so "newest first" holds when a clock is set back."""

    __tablename__ = "runs"
    __table_args__ = (Index(None, "status", "priority", "position"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(16), unique=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    status: Mapped[RunStatus]
    reason: Mapped[str] = mapped_column(Text, default="")
    config: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(64), index=True)
    seed: Mapped[int] = mapped_column(BigInteger)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="RESTRICT"), index=True)
    dropped_rows: Mapped[list[Any]]
    study_id: Mapped[int | None] = mapped_column(ForeignKey("studies.id", ondelete="SET NULL"), index=True)
    priority: Mapped[int]
    position: Mapped[int]
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    stop_requested: Mapped[bool] = mapped_column(default=False)
    stop_now: Mapped[bool] = mapped_column(default=False)
    progress: Mapped[dict[str, Any] | None]
    heartbeat_at: Mapped[float | None]
    progress_at: Mapped[float | None]
    token: Mapped[str | None] = mapped_column(String(64))
    pid: Mapped[int | None] = mapped_column(BigInteger)
    process_created_at: Mapped[float | None]
    boot_id: Mapped[str | None] = mapped_column(String(64))
    parameters: Mapped[int | None] = mapped_column(BigInteger)
    class_weights: Mapped[list[Any] | None]
    best_epoch: Mapped[int | None]
    train_seconds: Mapped[float | None]
    provenance: Mapped[dict[str, Any]] = mapped_column(default=dict)
    launches: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    threads: Mapped[int | None]
    gpu: Mapped[str | None] = mapped_column(String(64))
    notes: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    tags: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    archived: Mapped[bool] = mapped_column(default=False, server_default=false())
    before_extension: Mapped[dict[str, Any] | None]


class NeedRow(Base):
    """A run, and another one that has to end before it may begin."""

    __tablename__ = "needs"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    needed_id: Mapped[str] = mapped_column(
        ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class EpochRow(Base):
    """What an epoch measured; NULL stands for NaN, which SQLite cannot hold."""

    __tablename__ = "epochs"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    loss: Mapped[float | None]
    val_loss: Mapped[float | None]
    val_terrain_miou: Mapped[float | None]
    val_class_iou: Mapped[list[Any]]
    learning_rate: Mapped[float | None]
    seconds: Mapped[float | None]
    images_per_second: Mapped[float | None]
    checkpoint: Mapped[str | None] = mapped_column(String(64))


class EvaluationRow(Base):
    """Confusion matrices of one run, split and decoding: packed per image, and summed.

    The index carries the sums themselves: the leaderboard never touches the rows, which are long.
    """

    __tablename__ = "evaluations"
    __table_args__ = (Index("ix_evaluations_totals", "split", "decoding", "run_id", "total"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    split: Mapped[str] = mapped_column(String(16), primary_key=True)
    decoding: Mapped[str] = mapped_column(String(16), primary_key=True)
    created_at: Mapped[float]
    total: Mapped[bytes]
    rows: Mapped[bytes]
    confusions: Mapped[bytes]


class EventRow(Base):
    """Something that happened. Numbers are never used twice: the largest is the store's version."""

    __tablename__ = "events"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - declared so by SQLAlchemy

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float]
    kind: Mapped[str] = mapped_column(String(32))
    message: Mapped[str] = mapped_column(Text)
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)


class LeaseRow(Base):
    """A lease; the row stays when it is released, so that its token keeps growing."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[float]
    token: Mapped[int] = mapped_column(BigInteger)


class SwitchRow(Base):
    """Something that is on or off for the whole lab, such as the pause of the queue; off without a row."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    is_on: Mapped[bool]
