"""Runs as people handle them: added, found, listed, renamed, resumed, stopped, deleted."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marsseg.config import RunConfig
from marsseg.errors import NotFoundError
from marsseg.store.base import (
    StorePart,
    ambiguous,
    get_record,
    get_row,
    run_not_found,
    run_records,
    select_runs,
)
from marsseg.store.converters import plain
from marsseg.store.records import NewRun, RunRecord, RunStatus
from marsseg.store.tables import DatasetRow, RunRow, StudyRow
from marsseg.store.texts import new_run_id, storable, tidy_name
from marsseg.store.transitions import refusal, require_transition


class RunTable(StorePart):
    """The runs themselves, whatever state they are in."""

    def add_run(self, new: NewRun) -> RunRecord:
        """Put a run at the end of the queue.

        Raises:
            NotFoundError: its dataset or study is not in the store.
        """
        name = tidy_name(new.name)
        with self._database.write() as session:
            _require_parents(session, new)
            row = RunRow(
                id=_unused_id(session),
                name=name,
                status=RunStatus.QUEUED,
                config=new.config.model_dump_json(),
                fingerprint=new.fingerprint,
                seed=new.config.train.seed,
                dataset_id=new.dataset_id,
                dropped_rows=plain(new.dropped_rows),
                study_id=new.study_id,
                priority=new.priority,
                position=next_position(session),
                created_at=self._clock(),
            )
            session.add(row)
            self._add_event(session, RunStatus.QUEUED, f"Run “{name}” queued.", row.id)
            return get_record(session, row.id)

    def find_run(self, key: str) -> RunRecord | None:
        """Look a run up by id, name, or the beginning of its id, in this order.

        Raises:
            NotFoundError: the name or the beginning fits several.
        """
        key = storable(key)
        by_id = RunRow.id == key.lower()
        by_name = RunRow.name == key
        by_prefix = RunRow.id.startswith(key.lower(), autoescape=True)
        with self._database.read() as session:
            for condition in (by_id, by_name, by_prefix) if key else ():
                found = run_records(session, select_runs().where(condition).order_by(RunRow.number).limit(50))
                if len(found) > 1:
                    raise ambiguous("runs", key, [run.id for run in found])
                if found:
                    return found[0]
        return None

    def get_run(self, key: str) -> RunRecord:
        """Like `find_run`.

        Raises:
            NotFoundError: there is none, or the key fits several.
        """
        record = self.find_run(key)
        if record is None:
            raise run_not_found(key)
        return record

    def list_runs(
        self,
        *,
        statuses: Iterable[RunStatus] | None = None,
        study_id: int | None = None,
        dataset_id: int | None = None,
        limit: int | None = None,
    ) -> list[RunRecord]:
        """Runs that fit all that is given, newest first."""
        query = select_runs().order_by(RunRow.number.desc())
        if statuses is not None:
            query = query.where(RunRow.status.in_(list(statuses)))
        if study_id is not None:
            query = query.where(RunRow.study_id == study_id)
        if dataset_id is not None:
            query = query.where(RunRow.dataset_id == dataset_id)
        if limit is not None:
            query = query.limit(limit)
        with self._database.read() as session:
            return run_records(session, query)

    def count_by_status(self) -> dict[RunStatus, int]:
        """How many runs are in each state; states without any are left out."""
        query = select(RunRow.status, func.count()).group_by(RunRow.status)
        with self._database.read() as session:
            return dict(session.execute(query).all())

    def rename_run(self, run_id: str, name: str) -> RunRecord:
        """Give a run another name, in any state; its configuration, which boards read, takes the name too.

        Raises:
            NotFoundError: there is no such run.
        """
        name = tidy_name(name)
        with self._database.write() as session:
            row = get_row(session, run_id)
            if name != row.name:
                self._add_event(session, "renamed", f"Renamed from “{row.name}” to “{name}”.", run_id)
                row.name = name
                config = RunConfig.model_validate_json(row.config)
                row.config = config.with_values({"name": name}).model_dump_json()
            return get_record(session, run_id)

    def request_stop(self, run_id: str, *, now: bool = False) -> RunRecord:
        """Ask an active run to end at the next batch; a queued one is cancelled on the spot.

        Args:
            run_id: which run.
            now: end without evaluation and export; may follow a request without it.

        Raises:
            NotFoundError: there is no such run.
            StateError: the run is finished.
        """
        with self._database.write() as session:
            row = get_row(session, run_id)
            if row.status is RunStatus.QUEUED:
                self._cancel(session, row)
            elif row.status.is_finished:
                raise refusal(run_id, row.status, "has nothing to stop")
            elif not row.stop_requested or (now and not row.stop_now):
                row.status = RunStatus.STOPPING
                row.stop_requested, row.stop_now = True, now
                asked = "Asked to stop at once." if now else "Asked to stop after this batch."
                self._add_event(session, RunStatus.STOPPING, asked, run_id)
            return get_record(session, run_id)

    def requeue(self, run_id: str) -> RunRecord:
        """Queue a run that ended early again; it keeps its epochs and goes on from its last checkpoint.

        Raises:
            NotFoundError: there is no such run.
            StateError: it is not stopped, failed or lost.
        """
        with self._database.write() as session:
            row = get_row(session, run_id)
            before = f"{row.status}: {row.reason}" if row.reason else str(row.status)
            require_transition(run_id, row.status, RunStatus.QUEUED)
            row.status, row.reason = RunStatus.QUEUED, ""
            row.position = next_position(session)
            row.started_at = row.finished_at = row.heartbeat_at = row.progress_at = None
            row.stop_requested = row.stop_now = False
            row.progress = row.token = row.pid = row.process_created_at = row.boot_id = None
            self._add_event(session, RunStatus.QUEUED, f"Queued again; it was {before}", run_id)
            return get_record(session, run_id)

    def delete_run(self, run_id: str) -> None:
        """Forget a finished run with all its epochs, evaluations and events; its files are the caller's.

        Raises:
            NotFoundError: there is no such run.
            StateError: it is queued or active.
        """
        with self._database.write() as session:
            row = get_row(session, run_id)
            if not row.status.is_finished:
                raise refusal(run_id, row.status, "cannot be deleted")
            session.delete(row)
            self._add_event(session, "deleted", f"Run “{row.name}” ({run_id}) deleted.")

    def _cancel(self, session: Session, row: RunRow) -> None:
        row.status, row.reason = RunStatus.STOPPED, "Cancelled before it started."
        row.finished_at = self._clock()
        self._add_event(session, RunStatus.STOPPED, row.reason, row.id)


def next_position(session: Session) -> int:
    """The place behind all that are queued."""
    last = session.scalar(select(func.max(RunRow.position)).where(RunRow.status == RunStatus.QUEUED))
    return 1 if last is None else last + 1


def _unused_id(session: Session) -> str:
    while session.scalar(select(RunRow.number).where(RunRow.id == (run_id := new_run_id()))) is not None:
        pass
    return run_id


def _require_parents(session: Session, new: NewRun) -> None:
    if session.get(DatasetRow, new.dataset_id) is None:
        raise NotFoundError(
            f"No dataset has the id {new.dataset_id}; `python -m marsseg datasets list` shows all datasets."
        )
    if new.study_id is not None and session.get(StudyRow, new.study_id) is None:
        raise NotFoundError(f"No study has the id {new.study_id}; the study page shows all studies.")
