"""The queue: its order, and the compare-and-set by which a scheduler takes a run from it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from marsseg.store.base import StorePart, get_record, get_row, run_records, select_runs
from marsseg.store.leases import require_lease
from marsseg.store.records import ACTIVE, FINISHED, LeaseRecord, RunRecord, RunStatus
from marsseg.store.tables import NeedRow, RunRow, SwitchRow
from marsseg.store.texts import require_wishes
from marsseg.store.transitions import refusal
from marsseg.store.worker import get_current

Direction = Literal["up", "down", "top"]

BEFORE_AN_ATTEMPT: Mapping[str, Any] = {
    **dict.fromkeys(("started_at", "finished_at", "heartbeat_at", "progress_at", "progress")),
    **dict.fromkeys(("token", "pid", "process_created_at", "boot_id", "gpu")),
    **dict.fromkeys(("stop_requested", "stop_now"), False),
    "reason": "",
}
"""What an attempt leaves in the row of a run, as it was before the attempt."""

_PAUSE = "queue paused"
_NOT_WAITING = ("is not waiting in the queue", "only a waiting run has a place and a priority in it")
_IN_ORDER = (RunRow.priority.desc(), RunRow.position, RunRow.number)
_NEEDED = aliased(RunRow)
_WAITS = exists().where(
    NeedRow.run_id == RunRow.id, NeedRow.needed_id == _NEEDED.id, _NEEDED.status.not_in(FINISHED)
)
_FIRST_QUEUED: Select[str] = (
    select(RunRow.id).where(RunRow.status == RunStatus.QUEUED, ~_WAITS).order_by(*_IN_ORDER).limit(1)
)


class RunQueue(StorePart):
    """Queued runs: higher priority first, then by position."""

    def queue(self) -> list[RunRecord]:
        """Queued runs in the order in which they will start."""
        query = select_runs().where(RunRow.status == RunStatus.QUEUED).order_by(*_IN_ORDER)
        with self._database.read() as session:
            return run_records(session, query)

    def move_queued(self, run_id: str, direction: Direction) -> None:
        """Move a run within the queue; past a run of another priority, it takes that priority.

        Raises:
            NotFoundError: there is no such run.
            StateError: it is not queued.
        """
        with self._database.write() as session:
            moved = get_row(session, run_id)
            if moved.status is not RunStatus.QUEUED:
                raise refusal(run_id, moved.status, *_NOT_WAITING)
            rows = list(
                session.scalars(select(RunRow).where(RunRow.status == RunStatus.QUEUED).order_by(*_IN_ORDER))
            )
            old = rows.index(moved)
            new = {"up": max(old - 1, 0), "down": min(old + 1, len(rows) - 1), "top": 0}[direction]
            if new == old:
                return
            moved.priority = rows[new].priority
            rows.insert(new, rows.pop(old))
            for position, row in enumerate(rows, start=_behind(session, RunStatus.STARTING)):
                row.position = position
            self._add_event(
                session, "moved", f"Moved to place {new + 1} of {len(rows)} in the queue.", run_id
            )

    def set_priority(self, run_id: str, priority: int) -> None:
        """Give a waiting run another priority; it goes behind those that have the same.

        Raises:
            NotFoundError: there is no such run.
            StateError: it is not queued.
            ConfigError: the priority is far off.
        """
        require_wishes(priority)
        with self._database.write() as session:
            row = get_row(session, run_id)
            if row.status is not RunStatus.QUEUED:
                raise refusal(run_id, row.status, *_NOT_WAITING)
            if row.priority == priority:
                return
            changed = f"Priority changed from {row.priority} to {priority}."
            row.position, row.priority = next_position(session), priority
            self._add_event(session, "moved", changed, run_id)

    def pause_queue(self, paused: bool = True) -> None:
        """Let no queued run start until the queue goes on; what is active is left alone."""
        with self._database.write() as session:
            if _is_paused(session) != paused:
                session.merge(SwitchRow(name=_PAUSE, is_on=paused))
                done = "paused" if paused else "continued"
                self._add_event(session, f"queue {done}", f"Queue {done}.")

    def is_queue_paused(self) -> bool:
        """Whether queued runs wait although a slot may be free."""
        with self._database.read() as session:
            return _is_paused(session)

    def claim_next(
        self,
        slots: int,
        *,
        lease: LeaseRecord | None = None,
        threads: int | None = None,
        gpus: Sequence[str] = (),
    ) -> tuple[RunRecord, str] | None:
        """Take the next run unless the queue is paused or `slots` are active: queued → starting.

        Runs that need others which have not ended are passed over.

        Args:
            slots: how many runs may be active at once.
            lease: claim only while this lease is still current.
            threads: CPU threads for a run that never had any; one that had keeps their number.
            gpus: names of the GPUs there are; the run is given the one with the fewest active runs.

        Returns:
            The run and its launch token, or None when nothing is to be started.

        Raises:
            StateError: the lease has passed to another owner.
        """
        with self._database.read() as session:  # an idle scheduler must not keep writers waiting
            if session.scalar(_FIRST_QUEUED) is None or _is_paused(session):
                return None
        with self._database.write() as session:
            if lease is not None:
                require_lease(session, lease)
            run_id = session.scalar(_FIRST_QUEUED)
            if run_id is None or _is_paused(session) or _count_active(session) >= slots:
                return None
            token = secrets.token_hex(16)
            if not self._claim(session, run_id, token, threads, _least_used(session, gpus)):
                return None
            return get_record(session, run_id), token

    def release_claim(self, run_id: str, token: str, *, lease: LeaseRecord | None = None) -> RunStatus:
        """Take a claim back whose worker is gone and never reported: starting → queued, in its old place.

        It keeps the threads of its first claim. One that was asked to stop meanwhile is stopped. Should a
        worker of that claim turn up after all, its token is of no use any more.

        Args:
            lease: only while this lease is still current.

        Returns:
            The run's state now: unchanged when its worker has reported, or has even ended.

        Raises:
            NotFoundError: there is no such run.
            StateError: the token is of another launch, or the lease has passed on.
        """
        with self._database.write() as session:
            if lease is not None:
                require_lease(session, lease)
            row = get_row(session, run_id)
            if row.status.is_finished or get_current(session, run_id, token).pid is not None:
                return row.status
            row.launches -= 1
            if row.stop_requested:
                self._end(session, row, RunStatus.STOPPED, "Stopped before its worker had reported.")
                return row.status
            clear_attempt(row)
            message = "The scheduler ended before its worker had reported; the run waits in its old place."
            self._add_event(session, row.status, message, run_id)
            return row.status

    def _claim(self, session: Session, run_id: str, token: str, threads: int | None, gpu: str | None) -> bool:
        now = self._clock()
        claim = (
            update(RunRow)
            .where(RunRow.id == run_id, RunRow.status == RunStatus.QUEUED)
            .values(
                status=RunStatus.STARTING,
                token=token,
                started_at=now,
                heartbeat_at=now,
                progress_at=now,
                launches=RunRow.launches + 1,
                threads=func.coalesce(RunRow.threads, threads),
                gpu=gpu,
            )
        )
        if session.connection().execute(claim).rowcount != 1:
            return False
        where = f" on GPU {gpu}" if gpu else ""
        message = f"Its turn has come; a worker is being started{where}."
        self._add_event(session, RunStatus.STARTING, message, run_id)
        return True


def clear_attempt(row: RunRow) -> None:
    """Into the queue, without a trace of the attempt before."""
    row.status = RunStatus.QUEUED
    for name, value in BEFORE_AN_ATTEMPT.items():
        setattr(row, name, value)


def next_position(session: Session) -> int:
    """The place behind all that are queued, or may be again, as their worker has not reported yet."""
    return _behind(session, RunStatus.QUEUED, RunStatus.STARTING)


def _behind(session: Session, *statuses: RunStatus) -> int:
    last = session.scalar(select(func.max(RunRow.position)).where(RunRow.status.in_(statuses)))
    return 1 if last is None else last + 1


def _is_paused(session: Session) -> bool:
    return bool(session.scalar(select(SwitchRow.is_on).where(SwitchRow.name == _PAUSE)))


def _count_active(session: Session) -> int:
    return session.scalar(select(func.count()).where(RunRow.status.in_(ACTIVE))) or 0


def _least_used(session: Session, gpus: Sequence[str]) -> str | None:
    taken = list(session.scalars(select(RunRow.gpu).where(RunRow.status.in_(ACTIVE))))
    return min(gpus, key=taken.count, default=None)
