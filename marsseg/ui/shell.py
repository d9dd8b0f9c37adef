"""What stands around every page: the quiet line of state, errors with their remedy, empty states."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from marsseg.errors import MarsSegError
from marsseg.ui import formats, keys, text

if TYPE_CHECKING:
    from marsseg.services import Activity, Lab

Kind = TypeVar("Kind")
Made = TypeVar("Made")
ICON = Path(__file__).parent / "assets" / "icon.png"
"""The icon in the browser's tab: a file, since the browser would fetch a named icon from elsewhere."""
_LOW_DISK_BYTES = 2 * 1024**3
_READING_WIDTH = 560


def render_activity(read: Callable[[], Activity]) -> None:
    """One quiet line at the foot of the sidebar; it refreshes by itself only while something is active.

    When activity begins or ends, the whole page runs once more: so that it is still when idle, and shows
    what came of it.
    """
    busy = read().is_busy

    def line() -> None:
        state = read()
        _activity_line(state)
        if state.is_busy != busy:
            st.rerun()

    with st.sidebar:
        render_part(line, run_every=3 if busy else None)


def render_part(draw: Callable[[], None], *, run_every: float | None, key: str | None = None) -> None:
    """Draw a part that can be drawn again alone; what is refused then is said in its place.

    Streamlit shows the traceback of whatever leaves a part. So what is refused while the whole page is drawn
    is raised only behind the part, for whoever draws the page.

    Raises:
        MarsSegError: it was refused while the whole page is drawn.
    """
    refused: list[MarsSegError] = []
    is_alone = False

    def part() -> None:
        before = st.session_state.get(keys.REDRAWN, False)
        st.session_state[keys.REDRAWN] = True  # until it is drawn: it may ask for a full run instead
        try:
            draw()
        except MarsSegError as error:
            if is_alone:
                render_error(error)
            else:
                refused.append(error)
        st.session_state[keys.REDRAWN] = before

    st.fragment(part, run_every=run_every, key=key)()
    is_alone = True
    if refused:
        raise refused[0]


def render_error(error: MarsSegError) -> None:
    """One sentence with its remedy; the traceback only behind "Details"."""
    st.error(text.markdown(str(error)), icon=":material/error:")
    if error.__cause__ is not None:
        with st.expander("Details"):
            st.code("".join(traceback.format_exception(error)), language=None)


def render_empty(icon: str, title: str, explanation: str) -> None:
    """What will appear here, in the middle of the page; the caller adds the button that makes it appear."""
    with st.container(horizontal_alignment="center", gap="xsmall"):
        st.space("medium")
        st.markdown(f"### :gray[:material/{icon}:] {title}", text_alignment="center", width="content")
        st.markdown(f":gray[{explanation}]", text_alignment="center", width=_READING_WIDTH)


def flash(message: str) -> None:
    """Say what worked after the next rerun, where the page that causes it is gone by then; plain text."""
    waiting = st.session_state.setdefault(keys.FLASH, [])
    if message not in waiting:
        waiting.append(message)


def refuse(error: MarsSegError) -> None:
    """Say after the next rerun what was refused: below the title, until the next action."""
    st.session_state.setdefault(keys.REFUSED, []).append(error)


def _activity_line(state: Activity) -> None:
    scheduler = "scheduler alive" if state.scheduler.alive else "scheduler asleep"
    st.caption(
        f"{state.active} active · {state.queued} queued · {scheduler}  \n"
        f"{formats.size(state.free_bytes)} free"
    )
    if state.paused:
        st.caption(":orange[:material/pause_circle: Queue paused]")
    if state.free_bytes < _LOW_DISK_BYTES:
        st.caption(":orange[:material/warning: Little disk is left; delete runs that you no longer need.]")


def attempt(action: Callable[[], object], done: str = "") -> bool:
    """Do what a button asks; a refusal becomes a message instead of an exception."""
    st.session_state[keys.STANDING] = []
    try:
        action()
    except MarsSegError as error:
        refuse(error)
        return False
    if done:
        flash(done)
    return True


def once(begin: Callable[[], Made], tell: Callable[[Made], object], then: str = "") -> Callable[[], None]:
    """The callback of a button that begins something, so that a double click begins it once.

    Streamlit answers a second click in a thread of its own, and breaks off what answers the first, wherever
    that uses session state or draws. It calls the callback that was drawn last: this one again, maybe while
    its first call goes on, until its button is drawn anew.

    Args:
        begin: a use case, the last step of what it does; a refusal becomes a message.
        tell: says what was made, in session state; each click does so, as the page that would have shown it
            may have been broken off.
        then: the page that follows, by the script that draws it.
    """
    made: list[Made] = []
    at_a_time = Lock()

    def act() -> None:
        with at_a_time:
            if not made and not attempt(lambda: made.append(begin())):
                return
            tell(made[0])
            if then:
                st.session_state[keys.FOLLOWING] = then

    return act


def action(lab: Lab, use_case: Callable[..., object]) -> Callable[..., bool]:
    """A use case as what a button does: the lab is filled in, and a refusal becomes a message.

    What it returns takes the use case's other arguments, and `done`, what to say when it worked; it tells
    whether it did.
    """

    def act(*arguments: object, done: str = "", **options: object) -> bool:
        return attempt(lambda: use_case(lab, *arguments, **options), done)

    return act


def actions(lab: Lab, use_cases: ModuleType, kind: type[Kind], **own: Callable[..., object]) -> Kind:
    """A bundle of actions, a dataclass whose fields are called as the use cases behind them.

    Args:
        use_cases: where they are found.
        kind: the dataclass.
        own: fields that do something else.
    """
    names = [field.name for field in fields(kind) if field.name not in own]  # type: ignore[arg-type]
    return kind(**{name: action(lab, getattr(use_cases, name)) for name in names}, **own)


def begin_page(script: str) -> None:
    """What every page starts with, below the title that `app.py` draws: what an earlier rerun left to say.

    If what was begun there leads to another page, that page says it.

    Streamlit takes a `pages/` folder for its older kind of navigation until `app.py` has run once in the
    server; a deep link to a fresh server would then show the page without the app around it. Such a visit
    takes a detour through `app.py`, and `end_detour` brings it back.

    Args:
        script: the page's `__file__`.
    """
    if keys.NAVIGATION not in st.session_state:
        st.session_state[keys.DETOUR] = (f"pages/{Path(script).name}", st.query_params.to_dict())
        st.switch_page("app.py")
    following = st.session_state.pop(keys.FOLLOWING, "")
    if following and Path(following).name != Path(script).name:
        st.switch_page(following)
    _say_what_waits()


def _say_what_waits() -> None:
    """A success passes by; a refusal is seen wherever one has scrolled to, and stands while parts refresh."""
    refused = st.session_state.get(keys.REFUSED, [])
    standing = st.session_state.get(keys.STANDING, []) if st.session_state.get(keys.REDRAWN) else []
    st.session_state[keys.STANDING] = [*standing, *refused]
    st.session_state[keys.REFUSED], st.session_state[keys.REDRAWN] = [], False
    for message in st.session_state.pop(keys.FLASH, []):
        st.toast(text.markdown(message), icon=":material/check:")
    for error in refused:
        st.toast(text.markdown(str(error)), icon=":material/error:")
    with st.container():  # there even when empty: what is open further down keeps its place
        for error in [*standing, *refused]:
            render_error(error)


def forward_to(script: str) -> Callable[[], None]:
    """A page that only leads on to another, with all that the address says."""

    def forward() -> None:
        st.switch_page(script, query_params=st.query_params.to_dict())

    return forward


def end_detour() -> None:
    """Called by `app.py` once the navigation stands: go on to the page that a deep link asked for."""
    st.session_state[keys.NAVIGATION] = True
    if keys.DETOUR in st.session_state:
        script, query = st.session_state.pop(keys.DETOUR)
        st.switch_page(script, query_params=query)
