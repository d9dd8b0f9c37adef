"""What people say about runs: notes, tags, and which of them they have put away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from marsseg.errors import NotFoundError
from marsseg.store.base import StorePart, get_record, get_row
from marsseg.store.records import RunRecord
from marsseg.store.tables import RunRow
from marsseg.store.texts import tidy_notes, tidy_tags
from marsseg.store.transitions import refusal


class Annotations(StorePart):
    """Changes that no result depends on, allowed in any state unless said otherwise."""

    def set_notes(self, run_id: str, notes: str, *, instead_of: str | None = None) -> RunRecord:
        """Replace what was written about a run.

        Args:
            instead_of: the notes that the writer had before them; others written since then stay, above.

        Raises:
            NotFoundError: there is no such run.
            ConfigError: the notes are too long.
        """
        notes = tidy_notes(notes)
        with self._database.write() as session:
            row = get_row(session, run_id)
            if instead_of is not None and row.notes not in {instead_of, notes}:
                notes = _below(row.notes, notes, instead_of)
            if notes != row.notes:
                row.notes = notes
                self._add_event(session, "noted", "Notes changed." if notes else "Notes removed.", run_id)
            return get_record(session, run_id)

    def change_tags(self, run_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> RunRecord:
        """Add tags to those that a run has, and take some away.

        Raises:
            NotFoundError: there is no such run, or it lacks a tag that is to be removed.
            ConfigError: a tag is no tag, or there are too many.
        """
        added, removed = tidy_tags(add), tidy_tags(remove)
        with self._database.write() as session:
            row = get_row(session, run_id)
            for tag in removed:
                if tag not in row.tags:
                    has = ", ".join(row.tags) or "none"
                    raise NotFoundError(f"Run {run_id} has no tag {tag!r} to remove; its tags: {has}.")
            self._tag(session, row, tidy_tags({*row.tags, *added} - set(removed)))
            return get_record(session, run_id)

    def _tag(self, session: Session, row: RunRow, tags: list[str]) -> None:
        if tags != row.tags:
            row.tags = tags
            self._add_event(session, "tagged", f"Tags: {', '.join(tags) or 'none'}.", row.id)

    def archive_runs(self, run_ids: Sequence[str], archived: bool = True) -> None:
        """Put finished runs away, or take them out again: all of them or, if one cannot be, none.

        Raises:
            NotFoundError: one of them does not exist.
            StateError: one of them is queued or active.
        """
        with self._database.write() as session:
            for run_id in dict.fromkeys(run_ids):
                row = get_row(session, run_id)
                if not row.status.is_finished:
                    raise refusal(run_id, row.status, "cannot be archived")
                if row.archived != archived:
                    row.archived = archived
                    done = "Archived." if archived else "Taken out of the archive."
                    self._add_event(session, "archived" if archived else "unarchived", done, run_id)


def _below(theirs: str, ours: str, read: str) -> str:
    """Both notes, ours below; of ours only what goes on after those that were read, if it does.

    Raises:
        ConfigError: they are too long together.
    """
    added = ours.removeprefix(f"{read}\n") if read else ours
    return tidy_notes(f"{theirs}\n\n{added.strip()}")
