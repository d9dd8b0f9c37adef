"""From rows to the frozen values that callers get."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from marsseg.config import RunConfig, parse_config
from marsseg.errors import ConfigError, StoreError
from marsseg.identity import ProcessIdentity
from marsseg.store import arrays
from marsseg.store.records import (
    DatasetRecord,
    EpochRecord,
    EvaluationRecord,
    EventRecord,
    LeaseRecord,
    Phase,
    Progress,
    RunRecord,
    StudyRecord,
)
from marsseg.store.tables import DatasetRow, EpochRow, EvaluationRow, EventRow, LeaseRow, RunRow, StudyRow


def run_record(row: RunRow, dataset_name: str) -> RunRecord:
    """A run as callers see it."""
    return RunRecord(
        id=row.id,
        name=row.name,
        status=row.status,
        reason=row.reason,
        config=_config(row.config, f"run {row.id}"),
        fingerprint=row.fingerprint,
        seed=row.seed,
        dataset_id=row.dataset_id,
        dataset_name=dataset_name,
        dropped_rows=tuple(row.dropped_rows),
        study_id=row.study_id,
        priority=row.priority,
        position=row.position,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        stop_requested=row.stop_requested,
        progress=_progress(row.progress),
        heartbeat_at=row.heartbeat_at,
        progress_at=row.progress_at,
        process=_process(row),
        parameters=row.parameters,
        class_weights=None if row.class_weights is None else tuple(row.class_weights),
        best_epoch=row.best_epoch,
        train_seconds=row.train_seconds,
        provenance=row.provenance,
        stop_now=row.stop_now,
        token=row.token,
        launches=row.launches,
        threads=row.threads,
        gpu=row.gpu,
        notes=row.notes,
        tags=tuple(row.tags),
        archived=row.archived,
    )


def dataset_record(row: DatasetRow) -> DatasetRecord:
    """A dataset as callers see it."""
    return DatasetRecord(
        id=row.id,
        name=row.name,
        sha256=row.sha256,
        source=row.source,
        created_at=row.created_at,
        meta=row.meta,
        kept_groups=tuple(row.kept_groups),
    )


def study_record(row: StudyRow) -> StudyRecord:
    """A study as callers see it."""
    return StudyRecord(row.id, row.name, row.created_at, _config(row.baseline, f"study {row.id}"))


def epoch_record(row: EpochRow) -> EpochRecord:
    """An epoch as callers see it."""
    return EpochRecord(
        epoch=row.epoch,
        loss=_nan_if_none(row.loss),
        val_loss=_nan_if_none(row.val_loss),
        val_terrain_miou=_nan_if_none(row.val_terrain_miou),
        val_class_iou=tuple(map(_nan_if_none, row.val_class_iou)),
        learning_rate=_nan_if_none(row.learning_rate),
        seconds=_nan_if_none(row.seconds),
        images_per_second=_nan_if_none(row.images_per_second),
        checkpoint=row.checkpoint,
    )


def epoch_row(run_id: str, record: EpochRecord) -> EpochRow:
    """An epoch as the table holds it: NaN becomes NULL, which JSON and SQLite can hold."""
    return EpochRow(
        run_id=run_id,
        epoch=record.epoch,
        loss=_none_if_nan(record.loss),
        val_loss=_none_if_nan(record.val_loss),
        val_terrain_miou=_none_if_nan(record.val_terrain_miou),
        val_class_iou=[_none_if_nan(value) for value in record.val_class_iou],
        learning_rate=_none_if_nan(record.learning_rate),
        seconds=_none_if_nan(record.seconds),
        images_per_second=_none_if_nan(record.images_per_second),
        checkpoint=record.checkpoint,
    )


def evaluation_record(row: EvaluationRow) -> EvaluationRecord:
    """An evaluation as callers see it."""
    return EvaluationRecord(
        row.run_id, row.split, row.decoding, arrays.unpack(row.rows), arrays.unpack(row.confusions)
    )


def evaluation_row(record: EvaluationRecord, created_at: float) -> EvaluationRow:
    """An evaluation as the table holds it."""
    return EvaluationRow(
        run_id=record.run_id,
        split=record.split,
        decoding=record.decoding,
        created_at=created_at,
        total=arrays.pack_total(record.confusions),
        rows=arrays.pack(record.rows),
        confusions=arrays.pack(record.confusions),
    )


def event_record(row: EventRow) -> EventRecord:
    """An event as callers see it."""
    return EventRecord(row.id, row.at, row.kind, row.message, row.run_id)


def lease_record(row: LeaseRow) -> LeaseRecord:
    """A lease as callers see it."""
    return LeaseRecord(row.name, row.owner, row.expires_at, row.token)


def progress_json(progress: Progress) -> dict[str, Any]:
    """Progress as JSON; an estimate that is not finite is none."""
    values = asdict(progress)
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def plain(values: Iterable[Any]) -> list[Any]:
    """A JSON list of Python's own numbers, also from NumPy's."""
    return [value.item() if hasattr(value, "item") else value for value in values]


def _config(text: str, owner: str) -> RunConfig:
    try:
        return _parse_config(text)
    except ConfigError as error:
        raise StoreError(f"The configuration of {owner} cannot be read ({error}); update the lab.") from error


# Stored texts never change, configurations are frozen, and reading one costs more than the rest of its row.
_parse_config = lru_cache(maxsize=16_384)(parse_config)


def _progress(values: dict[str, Any] | None) -> Progress | None:
    return None if values is None else Progress(**{**values, "phase": Phase(values["phase"])})


def _process(row: RunRow) -> ProcessIdentity | None:
    if row.pid is None or row.process_created_at is None or row.boot_id is None or row.token is None:
        return None
    return ProcessIdentity(row.pid, row.process_created_at, row.boot_id, row.token)


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _nan_if_none(value: float | None) -> float:
    return math.nan if value is None else value
