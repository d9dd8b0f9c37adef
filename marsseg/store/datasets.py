"""Datasets and studies: what runs are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marsseg.config import RunConfig
from marsseg.errors import DatasetError, NotFoundError, StateError
from marsseg.store.base import StorePart, ambiguous, shorten
from marsseg.store.converters import dataset_record, study_record
from marsseg.store.records import DatasetRecord, StudyRecord
from marsseg.store.tables import DatasetRow, RunRow, StudyRow
from marsseg.store.texts import storable, tidy_name
from marsseg.wording import counted

_ID_DIGITS = 9  # more cannot be an id, and would not fit the column
_PREFIX_LENGTH = 4


class DatasetStore(StorePart):
    """Imported datasets, and studies that plan runs on them."""

    def add_dataset(self, name: str, sha256: str, source: str, meta: Mapping[str, Any]) -> DatasetRecord:
        """Register an imported dataset.

        Raises:
            DatasetError: its name is taken, or the same content is here already.
        """
        name = tidy_name(name)
        with self._database.write() as session:
            _refuse_taken_name(session, name)
            same = session.scalar(select(DatasetRow).where(DatasetRow.sha256 == sha256))
            if same is not None:
                raise DatasetError(f"This content is here already, as {same.name!r}; use that dataset.")
            row = DatasetRow(
                name=name,
                sha256=sha256,
                source=storable(source),
                created_at=self._clock(),
                meta=dict(meta),
                kept_groups=[],
            )
            session.add(row)
            self._add_event(session, "dataset added", f"Dataset “{name}” imported from {source}.")
            return dataset_record(row)

    def find_dataset(self, key: str | int) -> DatasetRecord | None:
        """Look a dataset up by id, or by a text: its name, four or more first digits of its checksum, its id.

        Raises:
            NotFoundError: the digits fit several.
        """
        with self._database.read() as session:
            row = session.get(DatasetRow, key) if isinstance(key, int) else _find_row(session, storable(key))
            return None if row is None else dataset_record(row)

    def get_dataset(self, key: str | int) -> DatasetRecord:
        """Like `find_dataset`.

        Raises:
            NotFoundError: there is none, or the key fits several.
        """
        record = self.find_dataset(key)
        if record is None:
            raise _dataset_not_found(key)
        return record

    def list_datasets(self) -> list[DatasetRecord]:
        """All datasets, in the order in which they were added."""
        with self._database.read() as session:
            return [
                dataset_record(row) for row in session.scalars(select(DatasetRow).order_by(DatasetRow.id))
            ]

    def set_kept_groups(self, dataset_id: int, group_ids: Iterable[str]) -> DatasetRecord:
        """Say which suspected outlier groups stay in the dataset; all others are left out of new runs.

        Raises:
            NotFoundError: there is no such dataset or group.
        """
        kept = sorted(set(group_ids))
        with self._database.write() as session:
            row = _get_row(session, dataset_id)
            known = {group["id"] for group in row.meta.get("outlier_groups", [])}
            unknown = [group for group in kept if group not in known]
            if unknown:
                raise NotFoundError(
                    f"Dataset {row.name!r} has no outlier group {unknown[0]!r}; its report lists the groups."
                )
            if kept != row.kept_groups:
                row.kept_groups = kept
                listed = ", ".join(kept) or "none"
                self._add_event(session, "dataset changed", f"Outlier groups kept in “{row.name}”: {listed}.")
            return dataset_record(row)

    def rename_dataset(self, dataset_id: int, name: str) -> DatasetRecord:
        """Give a dataset another name.

        Raises:
            NotFoundError: there is no such dataset.
            DatasetError: another one has the name.
        """
        name = tidy_name(name)
        with self._database.write() as session:
            row = _get_row(session, dataset_id)
            if name != row.name:
                _refuse_taken_name(session, name)
                self._add_event(session, "dataset changed", f"Dataset “{row.name}” renamed to “{name}”.")
                row.name = name
            return dataset_record(row)

    def remove_dataset(self, dataset_id: int) -> None:
        """Forget a dataset; its files are the caller's.

        Raises:
            NotFoundError: there is no such dataset.
            StateError: runs refer to it.
        """
        with self._database.write() as session:
            row = _get_row(session, dataset_id)
            runs = session.scalars(select(RunRow.id).where(RunRow.dataset_id == dataset_id)).all()
            if runs:
                users = f"{counted(len(runs), 'run')} ({shorten(runs)})"
                raise StateError(f"Dataset {row.name!r} is used by {users}; delete first what uses it.")
            session.delete(row)
            self._add_event(session, "dataset removed", f"Dataset “{row.name}” removed.")

    def add_study(self, name: str, baseline: RunConfig) -> StudyRecord:
        """Plan a set of runs that vary one baseline."""
        name = tidy_name(name)
        with self._database.write() as session:
            row = StudyRow(name=name, created_at=self._clock(), baseline=baseline.model_dump_json())
            session.add(row)
            self._add_event(session, "study added", f"Study “{name}” planned.")
            return study_record(row)

    def list_studies(self) -> list[StudyRecord]:
        """All studies, newest first."""
        query = select(StudyRow).order_by(StudyRow.id.desc())
        with self._database.read() as session:
            return [study_record(row) for row in session.scalars(query)]


def _find_row(session: Session, key: str) -> DatasetRow | None:
    named = session.scalar(select(DatasetRow).where(DatasetRow.name == key))
    if named is not None:
        return named
    if len(key) >= _PREFIX_LENGTH:
        prefix = func.lower(DatasetRow.sha256).startswith(key.lower(), autoescape=True)
        rows = session.scalars(select(DatasetRow).where(prefix).order_by(DatasetRow.id)).all()
        if len(rows) > 1:
            raise ambiguous("datasets", key, [row.name for row in rows])
        if rows:
            return rows[0]
    is_id = key.isascii() and key.isdigit() and len(key) <= _ID_DIGITS
    return session.get(DatasetRow, int(key)) if is_id else None


def _get_row(session: Session, dataset_id: int) -> DatasetRow:
    row = session.get(DatasetRow, dataset_id)
    if row is None:
        raise _dataset_not_found(dataset_id)
    return row


def _refuse_taken_name(session: Session, name: str) -> None:
    if session.scalar(select(DatasetRow.id).where(DatasetRow.name == name)) is not None:
        raise DatasetError(f"A dataset named {name!r} is here already; choose another name.")


def _dataset_not_found(key: str | int) -> NotFoundError:
    return NotFoundError(f"No dataset goes by {key!r}; `python -m marsseg datasets list` shows all datasets.")
