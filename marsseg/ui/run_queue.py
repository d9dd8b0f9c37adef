"""The queue: what waits and for what, in which order, and whether it is paused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import keys, run_words, text

if TYPE_CHECKING:
    from marsseg.services import Waiting
    from marsseg.store.records import RunRecord

ROWS = 10
_NAME_LETTERS = 120
_MOVES = (
    ("top", "vertical_align_top", "To the front"),
    ("up", "arrow_upward", "Earlier"),
    ("down", "arrow_downward", "Later"),
)


@dataclass(frozen=True, slots=True)
class QueueActions:
    """The use cases behind the buttons; each takes the id of a run first, except `pause_queue`."""

    move_in_queue: Callable[..., object]
    set_priority: Callable[..., object]
    stop: Callable[..., object]
    resume: Callable[..., object]
    pause_queue: Callable[..., object]


def render_queue(
    queue: Sequence[RunRecord], waiting: Waiting, removed: RunRecord | None, actions: QueueActions
) -> None:
    """Waiting runs in the order in which they will start; nothing where nothing waits or is paused.

    Args:
        queue: in order.
        waiting: what a run that is queued now would find.
        removed: the run that was taken out last, to be offered back.
        actions: see there.
    """
    if waiting.paused:
        _paused(waiting, actions)
    if removed is not None:
        _removed(removed, actions)
    if not queue:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Queue :gray[{len(queue)}]", width="stretch", anchor=False)
        if not waiting.paused:
            _pause(actions)
    if not waiting.paused:
        first = run_words.waits_for(replace(waiting, ahead=0)) or "The first one starts in a moment."
        st.caption(text.markdown(first))
    for place, run in enumerate(queue[:ROWS]):
        _row(place, len(queue), run, actions)
    if len(queue) > ROWS:
        more = st.expander(f"{len(queue) - ROWS} more", key=keys.QUEUE_MORE, on_change="rerun")
        if more.open:
            with more:
                for place, run in enumerate(queue[ROWS:], start=ROWS):
                    _row(place, len(queue), run, actions)


def last_removed(find_run: Callable[[str], RunRecord | None]) -> RunRecord | None:
    """The run that was taken out of the queue last, while it can be put back."""
    run_id = st.session_state.get(keys.QUEUE_REMOVED)
    run = find_run(run_id) if run_id else None
    return run if run and run.status == "stopped" and run.started_at is None else None


def _remove(run_id: str, actions: QueueActions) -> None:
    """Take a run out of the queue, and remember which it was."""
    if actions.stop(run_id):
        st.session_state[keys.QUEUE_REMOVED] = run_id


def _paused(waiting: Waiting, actions: QueueActions) -> None:
    active = len(waiting.active)
    goes_on = f" What is active goes on ({active})." if active else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.warning(
            f"The queue is paused: nothing more starts until it continues.{goes_on}",
            icon=":material/pause_circle:",
            width="stretch",
        )
        st.button(
            "Continue queue",
            key=keys.runs_button("continue"),
            icon=":material/play_arrow:",
            on_click=actions.pause_queue,
            kwargs={"paused": False},
        )


def _pause(actions: QueueActions) -> None:
    st.button(
        "Pause queue",
        key=keys.runs_button("pause"),
        icon=":material/pause:",
        type="tertiary",
        help="Nothing more starts until you continue; active runs go on.",
        on_click=actions.pause_queue,
    )


def _removed(run: RunRecord, actions: QueueActions) -> None:
    def dismiss() -> None:
        st.session_state[keys.QUEUE_REMOVED] = None

    name = text.markdown(text.shorten(run.name, _NAME_LETTERS))
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"Removed **{name}** :gray[from the queue]", width="stretch", wrap=False)
        st.button(
            "Undo",
            key=keys.run_button("restore", run.id),
            icon=":material/undo:",
            type="tertiary",
            help="Puts it back, at the end of the queue.",
            on_click=actions.resume,
            args=(run.id,),
        )
        st.button("Dismiss", key=keys.run_button("dismiss", run.id), type="tertiary", on_click=dismiss)


def _row(place: int, length: int, run: RunRecord, actions: QueueActions) -> None:
    text_column, buttons = st.columns([5, 3], vertical_alignment="center", gap="small")
    name = text.markdown(text.shorten(run.name, _NAME_LETTERS))
    facts = " · ".join(filter(None, [run_words.which(run), run_words.resources_text(run)]))
    line = f":gray[{place + 1}]  **{name}** :small[:gray[· {text.markdown(facts)}]]"
    text_column.markdown(line, wrap=False)
    with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="xsmall"):
        _priority(run, actions)
        for where, icon, hint in _MOVES:
            st.button(
                "",
                key=keys.run_button(where, run.id),
                icon=f":material/{icon}:",
                help=hint,
                type="tertiary",
                disabled=place == (length - 1 if where == "down" else 0),
                on_click=actions.move_in_queue,
                args=(run.id, where),
            )
        st.button(
            "Remove",
            key=keys.run_button("remove", run.id),
            icon=":material/close:",
            type="tertiary",
            on_click=_remove,
            args=(run.id, actions),
        )


def _priority(run: RunRecord, actions: QueueActions) -> None:
    key = keys.run_button("priority", run.id)

    def choose() -> None:
        if (priority := st.session_state[key]) is not None:
            actions.set_priority(run.id, priority)

    st.menu_button(
        run_words.priority_name(run.priority),
        list(run_words.PRIORITIES),
        key=key,
        format_func=run_words.priority_name,
        type="tertiary",
        help="Priority: higher starts first.",
        on_click=choose,
    )
