"""The end of a run's log, however long it is."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from marsseg.ui import formats, keys
from marsseg.wording import counted

SHOWN_BYTES = 30_000
SEARCHED_BYTES = 2_000_000
DOWNLOAD_BYTES = 20_000_000
_MOST_FOUND = 300
_HEIGHT = 420


def render_log(size: int, read: Callable[..., str]) -> None:
    """Draw the last lines, a search in more of them, and the download.

    Args:
        size: bytes of the log.
        read: the last `tail_bytes` of it as text.
    """
    if not size:
        st.caption("Nothing has been logged yet.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            "Search", key=keys.LOG_SEARCH, placeholder="Lines that contain …", width=320,
            icon=":material/search:",
        )  # fmt: skip
        _download(size, read)
    if words:
        _found(size, read, words)
    else:
        with st.container(height=_HEIGHT, border=False, autoscroll=True):  # to where the news are
            st.code(read(tail_bytes=SHOWN_BYTES), language=None)
        if size > SHOWN_BYTES:
            st.caption(f"The last {formats.size(SHOWN_BYTES)} of {formats.size(size)}.")


def _found(size: int, read: Callable[..., str], words: str) -> None:
    lines = [
        line for line in read(tail_bytes=SEARCHED_BYTES).splitlines() if words.casefold() in line.casefold()
    ]
    st.code("\n".join(lines[-_MOST_FOUND:]) or "No line contains that.", language=None, height=_HEIGHT)
    where = f"the whole log, {formats.size(size)}"
    if size > SEARCHED_BYTES:
        where = f"the last {formats.size(SEARCHED_BYTES)} of {formats.size(size)}"
    many = f", the last {_MOST_FOUND} shown" if len(lines) > _MOST_FOUND else ""
    st.caption(f"{counted(len(lines), 'line')}{many}. Searched {where}.")


def _download(size: int, read: Callable[..., str]) -> None:
    whole = size <= DOWNLOAD_BYTES
    st.download_button(
        f"Download the log ({formats.size(size)})"
        if whole
        else f"Download its last {formats.size(DOWNLOAD_BYTES)} of {formats.size(size)}",
        lambda: read(tail_bytes=DOWNLOAD_BYTES),  # read when it is asked for
        "log.txt",
        "text/plain",
        key=keys.LOG_DOWNLOAD,
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )
