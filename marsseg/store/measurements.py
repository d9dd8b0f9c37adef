"""What runs measured: epochs, and confusion matrices per image and summed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import func, select

from marsseg.store.arrays import check_evaluation, check_kind, unpack_totals
from marsseg.store.base import StorePart
from marsseg.store.converters import epoch_record, evaluation_record, evaluation_row
from marsseg.store.records import EpochRecord, EvaluationRecord
from marsseg.store.tables import EpochRow, EvaluationRow
from marsseg.store.worker import get_current
from marsseg.wording import counted


class Measurements(StorePart):
    """Epochs and evaluations, read by pages and written once by a worker."""

    def list_epochs(self, run_id: str) -> list[EpochRecord]:
        """The epochs of a run in order; NaN where nothing could be measured."""
        query = select(EpochRow).where(EpochRow.run_id == run_id).order_by(EpochRow.epoch)
        with self._database.read() as session:
            return [epoch_record(row) for row in session.scalars(query)]

    def epochs_done(self) -> dict[str, int]:
        """The last epoch of every run that has one, by its id."""
        query = select(EpochRow.run_id, func.max(EpochRow.epoch)).group_by(EpochRow.run_id)
        with self._database.read() as session:
            return {str(run_id): int(epoch) for run_id, epoch in session.execute(query)}

    def add_evaluation(self, token: str, record: EvaluationRecord) -> None:
        """Keep a run's confusion matrices; those of the same split and decoding are replaced.

        Raises:
            NotFoundError: there is no such run.
            StateError: the run is not active, or the token is of an earlier launch.
            StoreError: the arrays are not as `EvaluationRecord` says.
        """
        check_evaluation(record)
        row = evaluation_row(record, self._clock())  # packed before the write lock is taken
        with self._database.write() as session:
            get_current(session, record.run_id, token)
            session.merge(row)
            tiles = counted(len(record.rows), f"{record.split} tile")
            self._add_event(session, "evaluated", f"Scored on {tiles} ({record.decoding}).", record.run_id)

    def list_scored_splits(self, run_id: str) -> list[str]:
        """The splits that a run has scores on, in alphabetical order."""
        splits = select(EvaluationRow.split).where(EvaluationRow.run_id == run_id).distinct()
        with self._database.read() as session:
            return list(session.scalars(splits.order_by(EvaluationRow.split)))

    def list_evaluations(self, run_ids: Sequence[str], split: str, decoding: str) -> list[EvaluationRecord]:
        """The per-image matrices of some runs, in the order of `run_ids`; runs without any are left out.

        Raises:
            StoreError: unknown split or decoding, or damaged content.
        """
        check_kind(split, decoding)
        query = select(EvaluationRow).where(
            EvaluationRow.run_id.in_(run_ids),
            EvaluationRow.split == split,
            EvaluationRow.decoding == decoding,
        )
        with self._database.read() as session:
            found = {row.run_id: evaluation_record(row) for row in session.scalars(query)}
        return [found[run_id] for run_id in dict.fromkeys(run_ids) if run_id in found]

    def confusion_totals(self, split: str, decoding: str) -> dict[str, np.ndarray]:
        """Confusion matrices summed over the split, (5, 5) int64 `[true, predicted]`, by run id.

        Raises:
            StoreError: unknown split or decoding.
        """
        check_kind(split, decoding)
        query = select(EvaluationRow.run_id, EvaluationRow.total).where(
            EvaluationRow.split == split, EvaluationRow.decoding == decoding
        )
        with self._database.read() as session:
            found = session.execute(query).all()
        totals = unpack_totals([total for _, total in found])
        return {run_id: total for (run_id, _), total in zip(found, totals, strict=True)}
