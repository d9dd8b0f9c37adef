"""What a worker, or the scheduler in its place, writes about a run; fenced by the launch token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from marsseg.errors import StateError
from marsseg.identity import ProcessIdentity
from marsseg.store.base import StorePart, get_row
from marsseg.store.converters import epoch_row, plain, progress_json
from marsseg.store.leases import require_lease
from marsseg.store.records import ACTIVE, EpochRecord, LeaseRecord, Progress, RunStatus
from marsseg.store.tables import EpochRow, EvaluationRow, RunRow
from marsseg.store.texts import storable
from marsseg.store.transitions import refusal

_LAST_WORDS = frozenset({RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.FAILED})


class WorkerDesk(StorePart):
    """Writes that need the current launch token.

    Each method raises NotFoundError when the run is gone, and StateError when it is not active or was
    launched again since: whoever gets one must stop writing.
    """

    def worker_started(self, run_id: str, token: str, process: ProcessIdentity) -> None:
        """Record who works on the run: starting → running; a stop that was asked for meanwhile stands."""
        with self._database.write() as session:
            row = get_current(session, run_id, token)
            if row.pid is not None and row.pid != process.pid:
                raise refusal(run_id, row.status, f"belongs to process {row.pid}")
            row.pid, row.process_created_at, row.boot_id = process.pid, process.created_at, process.boot_id
            row.heartbeat_at = row.progress_at = self._clock()
            row.before_extension = None
            if row.status is RunStatus.STARTING:
                row.status = RunStatus.RUNNING
                self._add_event(session, RunStatus.RUNNING, f"Process {process.pid} works on it.", run_id)

    def heartbeat(self, run_id: str, token: str, *, ending: str = "") -> bool:
        """Give a sign of life; returns whether the run was asked to stop.

        Args:
            ending: why the worker is about to end although nobody asked here, such as a signal that it
                got: running → stopping.
        """
        with self._database.write() as session:
            _update_current(session, run_id, token, heartbeat_at=self._clock())
            if ending:
                self._note_ending(session, run_id, ending)
            return bool(session.scalar(select(RunRow.stop_requested).where(RunRow.id == run_id)))

    def report_progress(self, run_id: str, token: str, progress: Progress) -> None:
        """Say how far the run has come, and that it moves."""
        with self._database.write() as session:
            _update_current(
                session, run_id, token, progress=progress_json(progress), progress_at=self._clock()
            )

    def record_facts(
        self,
        run_id: str,
        token: str,
        *,
        parameters: int | None = None,
        class_weights: Sequence[float] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        """Record what only the worker knows; what is None stays as it is."""
        facts = {
            "parameters": None if parameters is None else int(parameters),
            "class_weights": None if class_weights is None else plain(class_weights),
            "provenance": None if provenance is None else dict(provenance),
        }
        with self._database.write() as session:
            get_current(session, run_id, token)
            given = {name: value for name, value in facts.items() if value is not None}
            if given:
                _update_current(session, run_id, token, **given)

    def add_epoch(self, run_id: str, token: str, epoch: EpochRecord, *, is_best: bool = False) -> None:
        """Record an epoch; one that is there already is replaced, as a resumed run repeats some.

        Args:
            is_best: its weights are the run's from now on: scores of any others are forgotten.
        """
        with self._database.write() as session:
            row = get_current(session, run_id, token)
            session.merge(epoch_row(run_id, epoch))
            session.flush()
            row.train_seconds = _sum_seconds(session, run_id)
            if is_best:
                row.best_epoch = int(epoch.epoch)
                self._forget_scores(session, run_id, f"epoch {epoch.epoch} is better")

    def go_on_after(self, run_id: str, token: str, epoch: int, message: str, *, best_epoch: int) -> bool:
        """Forget all later epochs, as they are trained again, and scores of any but the best one by then.

        Args:
            epoch: the epoch whose checkpoint the run goes on from; 0 to begin anew.
            message: a sentence for the timeline; empty for nothing to tell.
            best_epoch: the best one by then; 0 to begin anew.

        Returns:
            Whether the run has scores, which are those of its best epoch.
        """
        with self._database.write() as session:
            row = get_current(session, run_id, token)
            later = delete(EpochRow).where(EpochRow.run_id == run_id, EpochRow.epoch > epoch)
            session.connection().execute(later)
            row.train_seconds = _sum_seconds(session, run_id)
            if message:
                self._add_event(session, "resumed", message, run_id)
            if not best_epoch or row.best_epoch != best_epoch:
                now = f"epoch {best_epoch} is the best now" if best_epoch else "the run begins anew"
                self._forget_scores(session, run_id, now)
            row.best_epoch = int(best_epoch) or None
            scores = select(EvaluationRow.split).where(EvaluationRow.run_id == run_id).limit(1)
            return session.scalar(scores) is not None

    def note_overdue(self, run_id: str, token: str, cause: str, *, lease: LeaseRecord | None = None) -> None:
        """Put down why a scheduler is about to end the worker, which may still have the last word.

        Args:
            cause: a sentence for the timeline, and to stand behind that last word.
            lease: only while this lease is still current.
        """
        with self._database.write() as session:
            if lease is not None:
                require_lease(session, lease)
            get_current(session, run_id, token).reason = storable(cause)
            self._add_event(session, "overdue", cause, run_id)

    def finish(
        self,
        run_id: str,
        token: str,
        status: RunStatus,
        reason: str,
        *,
        best_epoch: int | None = None,
        lease: LeaseRecord | None = None,
    ) -> None:
        """Say the last word: completed, stopped or failed, and why.

        Args:
            lease: speak only while this lease is still current, for a scheduler that speaks for a worker.
        """
        if status not in _LAST_WORDS:
            raise StateError(f"A run ends as {', '.join(sorted(_LAST_WORDS))}; got {status}.")
        with self._database.write() as session:
            if lease is not None:
                require_lease(session, lease)
            row = get_current(session, run_id, token)
            if best_epoch is not None:
                row.best_epoch = int(best_epoch)
            word = _with_cause(row, reason) if lease is None else reason
            self._end(session, row, status, word)

    def mark_lost(self, run_id: str, token: str, reason: str, *, lease: LeaseRecord | None = None) -> bool:
        """Record that a run vanished without a last word; without effect, False, on a finished one."""
        with self._database.write() as session:
            if lease is not None:
                require_lease(session, lease)
            row = get_row(session, run_id)
            if row.status.is_finished:
                return False
            row = get_current(session, run_id, token)
            self._end(session, row, RunStatus.LOST, _with_cause(row, reason))
            return True

    def _forget_scores(self, session: Session, run_id: str, why: str) -> None:
        """Drop what was measured of weights that are the run's no more."""
        gone = delete(EvaluationRow).where(EvaluationRow.run_id == run_id)
        if session.connection().execute(gone).rowcount:
            self._add_event(session, "forgotten", f"Its scores do not count any more: {why}.", run_id)

    def _note_ending(self, session: Session, run_id: str, ending: str) -> None:
        row = get_row(session, run_id)
        if row.status is RunStatus.RUNNING:
            row.status = RunStatus.STOPPING
            self._add_event(session, RunStatus.STOPPING, ending, run_id)


def get_current(session: Session, run_id: str, token: str) -> RunRow:
    """The row of an active run, for whoever holds its launch token.

    Raises:
        NotFoundError: there is no such run.
        StateError: the run is not active, or the token is of an earlier launch.
    """
    row = get_row(session, run_id)
    if row.token != token:
        raise StateError(f"Run {run_id} was launched again or queued since; this worker must end.")
    if not row.status.is_active:
        raise refusal(run_id, row.status, "takes no more reports from its worker")
    return row


def _with_cause(row: RunRow, word: str) -> str:
    """A last word, and behind it why a scheduler had told the worker to end, if one had."""
    return f"{word.rstrip('.')}. {row.reason}" if row.reason else word


def _sum_seconds(session: Session, run_id: str) -> float | None:
    return session.scalar(select(func.sum(EpochRow.seconds)).where(EpochRow.run_id == run_id))


def _update_current(session: Session, run_id: str, token: str, **values: Any) -> None:
    current = (RunRow.id == run_id, RunRow.token == token, RunRow.status.in_(ACTIVE))
    if session.connection().execute(update(RunRow).where(*current).values(**values)).rowcount != 1:
        get_current(session, run_id, token)  # says why
