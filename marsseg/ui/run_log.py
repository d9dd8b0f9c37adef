"""The end of a run's log, however long it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from marsseg.ui import formats, keys

SHOWN_BYTES = 30_000
SEARCHED_BYTES = 2_000_000
DOWNLOAD_BYTES = 20_000_000
_MOST_FOUND = 300
_HEIGHT = 420


@dataclass(frozen=True, slots=True)
class LogReader:
    """A log as the page reads it: how long it is, and its last `tail_bytes` as text."""

    size: int
    read: Callable[..., str]


def render_log(log: LogReader) -> None:
    """Draw the last lines, a search in more of them, and the download."""
    if not log.size:
        st.caption("Nothing has been logged yet.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            "Search", key=keys.LOG_SEARCH, placeholder="Lines that contain …", width=320,
            icon=":material/search:",
        )  # fmt: skip
        _download(log)
    if words:
        _found(log, words)
    else:
        with st.container(height=_HEIGHT, border=False, autoscroll=True):  # to where the news are
            st.code(log.read(tail_bytes=SHOWN_BYTES), language=None)
        if log.size > SHOWN_BYTES:
            st.caption(f"The last {formats.size(SHOWN_BYTES)} of {formats.size(log.size)}.")


def _found(log: LogReader, words: str) -> None:
    searched = log.read(tail_bytes=SEARCHED_BYTES).splitlines()
    lines = [line for line in searched if words.casefold() in line.casefold()]
    st.code("\n".join(lines[-_MOST_FOUND:]) or "No line contains that.", language=None, height=_HEIGHT)
    where = f"the whole log, {formats.size(log.size)}"
    if log.size > SEARCHED_BYTES:
        where = f"the last {formats.size(SEARCHED_BYTES)} of {formats.size(log.size)}"
    many = f", the last {_MOST_FOUND} shown" if len(lines) > _MOST_FOUND else ""
    st.caption(f"{formats.count(len(lines))} line{'s' if len(lines) != 1 else ''}{many}. Searched {where}.")


def _download(log: LogReader) -> None:
    whole = log.size <= DOWNLOAD_BYTES
    st.download_button(
        f"Download the log ({formats.size(log.size)})"
        if whole
        else f"Download its last {formats.size(DOWNLOAD_BYTES)} of {formats.size(log.size)}",
        lambda: log.read(tail_bytes=DOWNLOAD_BYTES),  # read when it is asked for
        "log.txt",
        "text/plain",
        key=keys.LOG_DOWNLOAD,
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )
