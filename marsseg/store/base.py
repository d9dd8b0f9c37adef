"""What all parts of the store share: scopes, a clock, events, and how a run is looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from marsseg.errors import NotFoundError
from marsseg.store.converters import event_record, run_record
from marsseg.store.engine import Database
from marsseg.store.records import EventRecord, RunRecord, RunStatus
from marsseg.store.tables import DatasetRow, EventRow, RunRow
from marsseg.store.texts import storable
from marsseg.store.transitions import require_transition


class StorePart:
    """Base of the parts that `RunStore` is put together from.

    Args:
        database: where to read and write.
        clock: gives seconds since the epoch.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def version(self) -> int:
        """A number that grows with every event, 0 at first: the key to cache tables and charts under.

        Progress, heartbeats and epochs are no events; whoever shows a run live reads them anew.
        """
        with self._database.read() as session:
            return session.scalar(select(func.max(EventRow.id))) or 0

    def list_events(self, run_id: str | None = None, limit: int = 200) -> list[EventRecord]:
        """The latest events, newest first; of one run if told so."""
        query = select(EventRow).order_by(EventRow.id.desc()).limit(limit)
        if run_id is not None:
            query = query.where(EventRow.run_id == run_id)
        with self._database.read() as session:
            return [event_record(row) for row in session.scalars(query)]

    def _add_event(self, session: Session, kind: str, message: str, run_id: str | None = None) -> None:
        session.flush()  # events keep the order of what they tell, and find the run that they refer to
        session.add(EventRow(at=self._clock(), kind=kind, message=storable(message), run_id=run_id))

    def _end(self, session: Session, row: RunRow, status: RunStatus, reason: str) -> None:
        """Put down how a run ended, and why; an extension that no worker began leaves it completed as before.

        Raises:
            StateError: a run in this state cannot end so.
        """
        require_transition(row.id, row.status, status)
        if row.before_extension:
            for name, value in row.before_extension.items():
                setattr(row, name, value)
            row.status, row.before_extension = RunStatus.COMPLETED, None
            why = f"Not extended after all; it is as before. {reason}"
            self._add_event(session, RunStatus.COMPLETED, why, row.id)
            return
        row.status, row.reason, row.finished_at = status, storable(reason), self._clock()
        self._add_event(session, status, reason or f"The run is {status}.", row.id)


def select_runs() -> Select[RunRow, str]:
    """Runs with the names of their datasets, in one query."""
    return select(RunRow, DatasetRow.name).join(DatasetRow, DatasetRow.id == RunRow.dataset_id)


def run_records(session: Session, query: Select[RunRow, str]) -> list[RunRecord]:
    """The frozen values of all runs that a query built on `select_runs` finds."""
    return [run_record(row, dataset_name) for row, dataset_name in session.execute(query)]


def get_row(session: Session, run_id: str) -> RunRow:
    """The row of a run by its full id.

    Raises:
        NotFoundError: there is none.
    """
    row = session.scalar(select(RunRow).where(RunRow.id == run_id))
    if row is None:
        raise run_not_found(run_id)
    return row


def get_record(session: Session, run_id: str) -> RunRecord:
    """The frozen value of a run by its full id, after writing what the session holds."""
    session.flush()
    return run_records(session, select_runs().where(RunRow.id == run_id))[0]


def run_not_found(key: str) -> NotFoundError:
    """The error for a run that nobody knows."""
    return NotFoundError(f"No run goes by {key!r}; `python -m marsseg runs list` shows all runs.")


def ambiguous(what: str, key: str, matches: Sequence[str]) -> NotFoundError:
    """The error for a key that fits several; `matches` are their ids."""
    return NotFoundError(f"{key!r} fits {len(matches)} {what}: {shorten(matches)}; give one of these.")


def shorten(items: Sequence[str]) -> str:
    """Name the first five of a list, and count the rest."""
    return ", ".join(items[:5]) + (f" and {len(items) - 5} more" if len(items) > 5 else "")
