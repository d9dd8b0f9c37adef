"""What one can do with a run that is chosen: rename, resume, delete after a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import keys, text
from marsseg.ui.run_cards import render_badge

if TYPE_CHECKING:
    from marsseg.store.records import RunRecord

_TITLE_LETTERS = 90


def render_actions(
    run: RunRecord,
    *,
    on_resume: Callable[[], object],
    on_rename: Callable[[str], object],
    on_delete: Callable[[], object],
) -> None:
    """The run's title with its status, and the buttons that fit its state."""
    st.space("small")
    short = text.shorten(run.name, _TITLE_LETTERS)
    with st.container(horizontal=True, vertical_alignment="center"):
        whole = text.markdown(run.name) if short != run.name else None
        st.subheader(text.markdown(short), width="content", help=whole)
        render_badge(run)
    _story(run)
    with st.container(horizontal=True):
        _rename(run, on_rename)
        st.button(
            "Resume",
            key=keys.run_button("resume", run.id),
            icon=":material/resume:",
            disabled=not run.status.is_resumable,
            help="Goes on from the last checkpoint.",
            on_click=on_resume,
        )
        _delete(run, on_delete)


def _story(run: RunRecord) -> None:
    """The id in small print, and why the run ended; what went wrong is said aloud."""
    went_wrong = run.status in {"failed", "lost"}
    if went_wrong and run.reason:
        st.error(text.markdown(run.reason), icon=":material/error:")
    reason = "" if went_wrong else text.markdown(run.reason)
    st.caption(" · ".join(filter(None, [f"id {run.id}", f"seed {run.seed}", reason])))


def _rename(run: RunRecord, on_rename: Callable[[str], object]) -> None:
    key = keys.run_button("name", run.id)

    def save() -> None:
        name = str(st.session_state[key]).strip()
        if name and name != run.name:
            on_rename(name)

    with st.popover("Rename", icon=":material/edit:"):
        st.text_input("Name", run.name, key=key, max_chars=200, on_change=save)


def _delete(run: RunRecord, on_delete: Callable[[], object]) -> None:
    with st.popover("Delete", icon=":material/delete:", disabled=not run.status.is_finished):
        st.markdown(
            f"Deletes **{text.markdown(text.shorten(run.name, 60))}** with its scores, log, checkpoints, "
            "predictions and exported network. This cannot be undone."
        )
        st.button(
            "Delete this run",
            key=keys.run_button("delete", run.id),
            icon=":material/delete_forever:",
            on_click=on_delete,
        )
