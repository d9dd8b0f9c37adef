"""Runs as people handle them: added, found, listed, renamed, resumed, stopped, deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marsseg.config import RunConfig
from marsseg.errors import ConfigError, NotFoundError, StateError
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
from marsseg.store.queue import BEFORE_AN_ATTEMPT, clear_attempt, next_position
from marsseg.store.records import NewRun, RunRecord, RunStatus, tiles_identity
from marsseg.store.tables import DatasetRow, EpochRow, NeedRow, RunRow, StudyRow
from marsseg.store.texts import new_run_id, require_wishes, storable, tidy_name, tidy_notes, tidy_tags
from marsseg.store.transitions import refusal

_CHANGED_BY_EXTENSION = ("config", "fingerprint", "archived", *BEFORE_AN_ATTEMPT)


class RunTable(StorePart):
    """The runs themselves, whatever state they are in."""

    def add_run(self, new: NewRun) -> RunRecord:
        """Put a run at the end of the queue.

        Raises:
            NotFoundError: its dataset, its study or a run that it needs is not in the store.
            ConfigError: its name, notes, tags, priority or threads cannot be.
        """
        name = tidy_name(new.name)
        require_wishes(new.priority, new.threads)
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
                threads=new.threads,
                notes=tidy_notes(new.notes),
                tags=tidy_tags(new.tags),
            )
            session.add(row)
            session.flush()
            for needed in dict.fromkeys(new.needs):
                session.add(NeedRow(run_id=row.id, needed_id=get_row(session, needed).id))
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

    def find_by_id(self, run_id: str) -> RunRecord | None:
        """The run of exactly this id, whatever other runs are named."""
        with self._database.read() as session:
            return next(iter(run_records(session, select_runs().where(RunRow.id == storable(run_id)))), None)

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
        archived: bool | None = None,
        limit: int | None = None,
    ) -> list[RunRecord]:
        """Runs that fit all that is given, newest first; `archived=None` takes those put away too."""
        query = select_runs().order_by(RunRow.number.desc())
        if statuses is not None:
            query = query.where(RunRow.status.in_(list(statuses)))
        if study_id is not None:
            query = query.where(RunRow.study_id == study_id)
        if dataset_id is not None:
            query = query.where(RunRow.dataset_id == dataset_id)
        if archived is not None:
            query = query.where(RunRow.archived == archived)
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
                row.name, row.config = name, _renamed(row.config, name)
                if row.before_extension:
                    config = _renamed(row.before_extension["config"], name)
                    row.before_extension = {**row.before_extension, "config": config}
            return get_record(session, run_id)

    def request_stop(self, run_id: str, *, now: bool = False) -> RunRecord:
        """Ask an active run to end at the next batch; a queued one is cancelled on the spot.

        A completed run that was queued to be extended is completed again.

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
                self._end(session, row, RunStatus.STOPPED, "Cancelled before it started.")
            elif row.status.is_finished:
                raise refusal(run_id, row.status, "has nothing to stop", "it has ended already")
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
            if not row.status.is_resumable:
                raise refusal(run_id, row.status, "cannot be resumed")
            again = f"Queued again; it was {_state(row)}"
            _put_at_the_end(session, row)
            self._add_event(session, RunStatus.QUEUED, again, run_id)
            return get_record(session, run_id)

    def extend_run(self, run_id: str, epochs: int) -> RunRecord:
        """Queue a completed run again to train `epochs` more, from its last checkpoint.

        Its configuration, and so its fingerprint, becomes that of a run of so many epochs in all. One that
        stopped early is allowed to be patient for all of them. Should it end before a worker has reported, it
        is completed again, as it was.

        Raises:
            NotFoundError: there is no such run.
            StateError: it is not completed, has no epochs to go on from, or its learning rate followed a
                cosine: a longer one would have had other rates from the start.
            ConfigError: fewer than one more, or too many in all.
        """
        if epochs < 1:
            raise ConfigError({"epochs": f"a run is extended by at least 1 epoch; got {epochs}."})
        with self._database.write() as session:
            row = get_row(session, run_id)
            if row.status is not RunStatus.COMPLETED:
                raise refusal(run_id, row.status, "cannot be extended", _until_it_can_be_extended(row.status))
            last = session.scalar(select(func.max(EpochRow.epoch)).where(EpochRow.run_id == run_id))
            if not last:
                raise refusal(run_id, row.status, "has no epochs to go on from")
            config = RunConfig.model_validate_json(row.config)
            if config.train.schedule == "cosine":
                raise StateError(
                    f"Run {run_id} followed a cosine of {config.train.epochs} epochs, and a longer one would "
                    "have had other learning rates from the start; clone it with more epochs instead."
                )
            row.before_extension = {name: getattr(row, name) for name in _CHANGED_BY_EXTENSION}
            config = _extended(config, last, epochs)
            row.config = config.model_dump_json()
            row.fingerprint = config.fingerprint(_tiles_identity(session, row))
            more = f"Extended from {last} to {last + epochs} epochs; it was {_state(row)}"
            _put_at_the_end(session, row)
            self._add_event(session, RunStatus.QUEUED, more, run_id)
            return get_record(session, run_id)

    def delete_runs(self, run_ids: Sequence[str]) -> None:
        """Forget finished runs with all that was measured; all of them or none. Files are the caller's.

        Raises:
            NotFoundError: one of them does not exist.
            StateError: one of them is queued or active.
        """
        with self._database.write() as session:
            for run_id in dict.fromkeys(run_ids):
                row = get_row(session, run_id)
                if not row.status.is_finished:
                    raise refusal(run_id, row.status, "cannot be deleted")
                session.delete(row)
                self._add_event(session, "deleted", f"Run “{row.name}” ({run_id}) deleted.")


def _until_it_can_be_extended(status: RunStatus) -> str:
    first = "resume it and let it end" if status.is_resumable else "let it end"
    return f"{first}, because only a completed run has an end to go on from"


def _renamed(config: str, name: str) -> str:
    return RunConfig.model_validate_json(config).with_values({"name": name}).model_dump_json()


def _state(row: RunRow) -> str:
    return f"{row.status}: {row.reason}" if row.reason else f"{row.status}."


def _put_at_the_end(session: Session, row: RunRow) -> None:
    """Back into the queue, behind all others and in sight."""
    row.position = next_position(session)
    row.archived = False
    clear_attempt(row)


def _extended(config: RunConfig, last: int, more: int) -> RunConfig:
    stopped_early = last < config.train.epochs
    values = {"train.epochs": last + more}
    if stopped_early:
        values["train.early_stop_patience"] = last + more
    return config.with_values(values)


def _tiles_identity(session: Session, row: RunRow) -> str:
    sha256 = session.scalar(select(DatasetRow.sha256).where(DatasetRow.id == row.dataset_id))
    return tiles_identity(str(sha256), row.dropped_rows)


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
