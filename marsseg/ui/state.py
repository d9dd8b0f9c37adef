"""State that outlives a rerun: what the address says."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from marsseg.ui import keys


def from_address(name: str, *, allowed: Collection[str] | None = None, default: str = "") -> str:
    """A value from the page's address; `default` where it is missing or not one of `allowed`.

    Widgets whose key is their name in the address need this not: they take `bind="query-params"`.
    """
    value = str(st.query_params.get(name, default))
    return default if allowed is not None and value not in allowed else value


def list_from_address(name: str, *, allowed: Collection[str] | None = None) -> list[str]:
    """Values separated by commas in the page's address, such as run ids; unknown ones are left out."""
    values = [value for value in str(st.query_params.get(name, "")).split(",") if value]
    unique = list(dict.fromkeys(values))
    return [value for value in unique if allowed is None or value in allowed]


def to_address(name: str, value: str | Sequence[str] | None) -> None:
    """Keep a value in the page's address, so that a link or a reload comes back to it.

    None, or nothing, takes the name out. Does nothing when the address says so already.
    """
    text = value if isinstance(value, str) or value is None else ",".join(value)
    if not text:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != text:
        st.query_params[name] = text


def remember(name: str, value: str | None) -> None:
    """Keep a choice for this session, and from the next run of the page on in its address.

    Not at once: `st.rerun` throws away what was sent to the browser just before it.
    """
    st.session_state[keys.remembered(name)] = value
    st.session_state[keys.chosen_anew(name)] = True


def remembered(name: str) -> str:
    """The choice just made, or else the one in the address, or else the session's last one.

    It goes into the address. It may be out of date: the run that it names may be gone.
    """
    last = st.session_state.get(keys.remembered(name)) or ""
    anew = st.session_state.pop(keys.chosen_anew(name), False)
    value = last if anew else from_address(name) or last
    to_address(name, value)
    return str(value)
