"""The run that is chosen: its name, why it ended and what helps, and what one can do with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.ui import keys, run_words, text
from marsseg.ui.run_bulk import ask_to_delete
from marsseg.ui.run_cards import render_badge
from marsseg.ui.run_combine import render_combine
from marsseg.ui.run_uses import RunUses
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.config import RunConfig
    from marsseg.store.records import RunRecord

_TITLE_LETTERS = 90
_EDIT_WIDTH = 420


def render_none(chosen: str) -> None:
    """What to do while no run is on show, or the one in the address is gone."""
    gone = "The run in the address does not exist any more; choose another one."
    st.caption(gone if chosen else "Choose a run to see its curves, masks, log, configuration and timeline.")


def render_run(run: RunRecord, tags: Sequence[str], last_epoch: int, uses: RunUses) -> None:
    """Header and buttons.

    Args:
        run: the run.
        tags: those that other runs have.
        last_epoch: how many epochs it has trained.
        uses: what the buttons do.
    """
    _header(run)
    _actions(run, tags, last_epoch, uses)


def _header(run: RunRecord) -> None:
    """Name, status, tags, how it ended in small print, and notes."""
    st.space("small")
    short = text.shorten(run.name, _TITLE_LETTERS)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        whole = text.markdown(run.name) if short != run.name else None
        st.subheader(text.markdown(short), width="content", help=whole, anchor=False)
        render_badge(run)
        if run.archived:
            st.badge("Archived", color="gray", icon=":material/archive:")
        for tag in run.tags:
            st.badge(text.markdown(tag), color="gray", icon=":material/label:")
    reason = "" if _went_wrong(run) else run.reason
    parts = [f"id {run.id}", f"seed {run.seed}", run_words.fold(run), run_words.resources_text(run), reason]
    st.caption(text.markdown(" · ".join(filter(None, parts))))
    if run.notes:
        with st.container(border=True):
            st.markdown(text.notes(run.notes), anchors=False)


def _actions(run: RunRecord, tags: Sequence[str], last_epoch: int, uses: RunUses) -> None:
    """The buttons that fit the run's state; for one that went wrong, the one that helps stands out."""
    wrong = _went_wrong(run)
    help_ = run_words.remedy(run.reason)
    if wrong:
        st.error(
            help_.sentence,
            title=text.markdown(run.reason or "Nobody knows why."),
            icon=":material/error:",
        )
    with st.container(horizontal=True):
        if run.status == "completed" and _can_be_extended(run.config):
            _extend(run, last_epoch, uses)
        elif run.status.is_resumable:
            _resume(run, uses, helps=wrong and help_.button == "resume")
        _clone(run, uses, helps=wrong and help_.button == "clone")
        _edit(run, tags, uses)
        if run.status in {"completed", "stopped"} and not run.config.combine.flips:
            render_combine([run], uses, key=run.id)
        if run.status.is_finished:
            _archive(run, uses)
            st.button(
                "Delete …", key=keys.run_button("delete", run.id), icon=":material/delete:",
                on_click=ask_to_delete, args=([run.id],),
            )  # fmt: skip


def _went_wrong(run: RunRecord) -> bool:
    return run.status in {"failed", "lost"}


def _resume(run: RunRecord, uses: RunUses, *, helps: bool) -> None:
    st.button(
        "Resume",
        key=keys.run_button("resume", run.id),
        type="primary" if helps else "secondary",
        icon=":material/resume:",
        help="Queues it again, to go on from its last checkpoint.",
        on_click=uses.resume,
        args=(run.id,),
        kwargs={"done": "Queued again."},
    )


def _clone(run: RunRecord, uses: RunUses, *, helps: bool) -> None:
    combined = run.config.combine.is_on
    if st.button(
        "Clone and edit",
        key=keys.run_button("clone", run.id),
        type="primary" if helps and not combined else "secondary",
        icon=":material/content_copy:",
        disabled=combined,
        help="A combination trains nothing that could be edited; combine other runs instead."
        if combined
        else "Opens the form of a new run, filled in as this one.",
    ):
        uses.clone(run.id)


def _can_be_extended(config: RunConfig) -> bool:
    return not config.combine.is_on and config.train.schedule != "cosine"


def _extend(run: RunRecord, last_epoch: int, uses: RunUses) -> None:
    key = keys.run_button("epochs", run.id)

    def extend() -> None:
        more = int(st.session_state[key])
        uses.extend(run.id, more, done=f"Queued again, for {counted(more, 'more epoch')}.")

    with st.popover("Extend", icon=":material/forward:"):
        more = int(st.number_input("More epochs", 1, 1_000, 10, key=key, width=160))
        early = ""
        if last_epoch < run.config.train.epochs:
            early = (
                f"It stopped early, after {last_epoch} of {run.config.train.epochs} epochs; the extension "
                "trains all its epochs, however long nothing improves. "
            )
        st.markdown(
            f"{early}Goes on from epoch {last_epoch}, to {last_epoch + more} in all. Then it is measured "
            f"anew, and the leaderboard counts it as a run of {last_epoch + more} epochs; to keep both "
            "lengths there, clone it instead.",
            width=_EDIT_WIDTH,
        )
        st.button(f"Train {more} more", key=keys.run_button("extend", run.id), on_click=extend)


def _edit(run: RunRecord, tags: Sequence[str], uses: RunUses) -> None:
    """Name, tags and notes, each saved when its field is left; what others wrote since stays."""
    name_key, tags_key, notes_key = (keys.run_button(field, run.id) for field in ("name", "tags", "notes"))
    for field, stored in (("name", run.name), ("tags", list(run.tags)), ("notes", run.notes)):
        _follow(field, run.id, stored)

    def rename() -> None:
        if (name := str(st.session_state[name_key]).strip()) and name != run.name:
            uses.rename(run.id, name)

    def change_tags() -> None:
        before, now = set(run.tags), set(st.session_state[tags_key])
        if not uses.change_tags(run.id, add=now - before, remove=before - now):
            st.session_state[tags_key] = list(run.tags)

    def set_notes() -> None:
        uses.set_notes(run.id, st.session_state[notes_key], instead_of=run.notes)

    with st.popover("Edit", icon=":material/edit:", help="Name, tags and notes."):
        st.text_input("Name", key=name_key, max_chars=200, on_change=rename, width=_EDIT_WIDTH)
        st.multiselect(
            "Tags", sorted({*tags, *run.tags}, key=str.casefold), key=tags_key, accept_new_options=True,
            placeholder="Choose or type a new one", width=_EDIT_WIDTH, on_change=change_tags,
        )  # fmt: skip
        st.text_area(
            "Notes", key=notes_key, max_chars=10_000, height=180, width=_EDIT_WIDTH, on_change=set_notes,
            placeholder="What you tried, what you saw. Markdown works.",
        )  # fmt: skip
        st.caption("Saved when you leave a field.")


def _follow(field: str, run_id: str, stored: Any) -> None:
    """Put into a field what the store says, where that is news: a widget keeps to what it was first given."""
    key, known = keys.run_button(field, run_id), keys.run_stored(field, run_id)
    is_news = key not in st.session_state or st.session_state.get(known) != stored
    if is_news and st.session_state.get(key) != stored:
        st.session_state[key] = stored
    st.session_state[known] = stored


def _archive(run: RunRecord, uses: RunUses) -> None:
    done = f"{'Taken out of the archive' if run.archived else 'Archived'}: {text.shorten(run.name, 60)}"
    st.button(
        "Unarchive" if run.archived else "Archive",
        key=keys.run_button("archive", run.id),
        icon=f":material/{'unarchive' if run.archived else 'archive'}:",
        help="Out of sight, here and on the leaderboard; nothing is deleted." if not run.archived else None,
        on_click=uses.archive,
        args=([run.id],),
        kwargs={"archived": not run.archived, "done": done},
    )
