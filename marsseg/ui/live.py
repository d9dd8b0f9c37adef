"""Parts of a page that refresh by themselves while something is active, and are still when nothing is.

Whether to poll is decided at each full run of the page. A part that finds activity begun or ended asks
for a full run, which decides anew: an idle page sends and asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import streamlit as st

from marsseg.errors import NotFoundError
from marsseg.ui import keys, shell

EVERY_SECONDS = 1.5


def watch(
    name: str,
    read: Callable[[], tuple[Hashable, bool]],
    *,
    every: float = EVERY_SECONDS,
    idle_every: float | None = None,
) -> None:
    """Run the whole page again when what it shows has changed.

    Args:
        name: of the page or part; one of its kind on a page.
        read: a cheap look at (what is shown, whether anything is active), e.g. the store's version.
        every: seconds between looks while active.
        idle_every: seconds between looks while idle, for a page that must notice what another window or a
            terminal began; None not to look at all.
    """
    seen, active = read()

    def look() -> None:
        if read() != (seen, active):
            st.rerun()

    shell.render_part(look, run_every=every if active else idle_every, key=keys.live(name))


def want_page() -> None:
    """In the callback of a widget inside a part: let the whole page run, not that part alone."""
    st.session_state[keys.LIVE_PAGE] = True


def refresh(
    name: str,
    draw: Callable[[], None],
    is_active: Callable[[], bool],
    *,
    every: float = EVERY_SECONDS,
) -> None:
    """Draw a part, and draw it again in place every few moments while `is_active()`.

    The rest of the page is left alone, with its scroll, zoom and selections. When activity ends, or what
    was drawn is gone, the whole page runs once more, so that what depends on the outcome appears.

    Args:
        name: of the part; one of its kind on a page.
        draw: draws the part; widgets and charts inside need stable keys.
        is_active: whether anything goes on; called after each drawing.
        every: seconds between drawings while active.
    """
    active = is_active()
    st.session_state.pop(keys.LIVE_PAGE, None)  # the whole page runs already

    def part() -> None:
        if st.session_state.pop(keys.LIVE_PAGE, False):
            st.rerun()
        try:
            draw()
            changed = is_active() != active
        except NotFoundError:
            changed = True
        if changed:
            st.rerun()

    shell.render_part(part, run_every=every if active else None, key=keys.live(name))
