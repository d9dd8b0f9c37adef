"""The queue: what waits and for what, in which order, and whether it is paused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import keys, run_words, text
from marsseg.ui.run_uses import RunUses

if TYPE_CHECKING:
    from marsseg.services import Waiting
    from marsseg.store.records import RunRecord

ROWS = 10
_NAME_LETTERS = 120
_MOVES = {"top": "To front", "up": "Up", "down": "Down"}


def render_queue(
    queue: Sequence[RunRecord],
    waiting: Waiting,
    find_run: Callable[[str], RunRecord | None],
    uses: RunUses,
) -> None:
    """Waiting runs in the order in which they will start; nothing where nothing waits or is paused.

    Args:
        queue: in order.
        waiting: what a run that is queued now would find.
        find_run: looks up the run that was taken out last, to be offered back.
        uses: what the buttons do.
    """
    if waiting.paused:
        _paused(waiting, uses)
    _removed(find_run, uses)
    if not queue:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Queue :gray[{len(queue)}]", width="stretch", anchor=False)
        if not waiting.paused:
            _pause(uses)
    if not waiting.paused:
        first = run_words.waits_for(replace(waiting, ahead=0)) or "The first one starts in a moment."
        st.caption(text.markdown(first))
    with st.container(gap="small"):
        for place, run in enumerate(queue[:ROWS]):
            _row(place, len(queue), run, uses)
    if len(queue) > ROWS:
        more = st.expander(f"{len(queue) - ROWS} more", key=keys.QUEUE_MORE, on_change="rerun")
        if more.open:
            with more:
                for place, run in enumerate(queue[ROWS:], start=ROWS):
                    _row(place, len(queue), run, uses)


def _paused(waiting: Waiting, uses: RunUses) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.warning(
            f"The queue is paused: nothing more starts.{' Active runs go on.' if waiting.active else ''}",
            icon=":material/pause_circle:",
            width="stretch",
        )
        st.button(
            "Continue queue",
            key=keys.runs_button("continue"),
            icon=":material/play_arrow:",
            on_click=uses.pause_queue,
            kwargs={"paused": False},
        )


def _pause(uses: RunUses) -> None:
    st.button(
        "Pause queue",
        key=keys.runs_button("pause"),
        icon=":material/pause:",
        type="tertiary",
        help="Nothing more starts until you continue; active runs go on.",
        on_click=uses.pause_queue,
    )


def _removed(find_run: Callable[[str], RunRecord | None], uses: RunUses) -> None:
    """Offer the run back that was removed last, unless it has gone on since, or had begun already."""
    run = find_run(st.session_state.get(keys.QUEUE_REMOVED) or "")
    if run is None or run.status != "stopped" or run.started_at is not None:
        return

    def dismiss() -> None:
        st.session_state[keys.QUEUE_REMOVED] = None

    name = text.markdown(text.shorten(run.name, _NAME_LETTERS))
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.markdown(f"Removed **{name}** :gray[from the queue]", width="stretch", wrap=False)
        st.button(
            "Undo",
            key=keys.run_button("restore", run.id),
            icon=":material/undo:",
            type="tertiary",
            help="Puts it back, at the end of the queue.",
            on_click=uses.resume,
            args=(run.id,),
        )
        st.button("Dismiss", key=keys.run_button("dismiss", run.id), type="tertiary", on_click=dismiss)


def _row(place: int, length: int, run: RunRecord, uses: RunUses) -> None:
    def remove() -> None:
        if uses.stop(run.id):
            st.session_state[keys.QUEUE_REMOVED] = run.id

    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall"):
        name = text.markdown(text.shorten(run.name, _NAME_LETTERS))
        facts = " · ".join(filter(None, [run_words.which(run), run_words.resources_text(run)]))
        line = f":gray[{place + 1}]  **{name}** :small[:gray[· {text.markdown(facts)}]]"
        st.markdown(line, width="stretch", wrap=False)
        with st.container(horizontal=True, width="content", gap="small", wrap=False):
            _priority(run, uses)
            for where, label in _MOVES.items():
                st.button(
                    label,
                    key=keys.run_button(where, run.id),
                    type="tertiary",
                    disabled=place == (length - 1 if where == "down" else 0),
                    on_click=uses.move_in_queue,
                    args=(run.id, where),
                )
            st.button("Remove", key=keys.run_button("remove", run.id), type="tertiary", on_click=remove)


def _priority(run: RunRecord, uses: RunUses) -> None:
    key = keys.run_button("priority", run.id)

    def choose() -> None:
        if (priority := st.session_state[key]) is not None:
            uses.set_priority(run.id, priority)

    st.menu_button(
        run_words.priority_label(run.priority),
        list(run_words.PRIORITIES),
        key=key,
        format_func=run_words.priority_name,
        type="tertiary",
        help="Priority: higher starts first.",
        on_click=choose,
    )
