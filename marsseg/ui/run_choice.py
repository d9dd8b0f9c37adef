"""Which runs are chosen: one to see, whose id stands in the address, or several to act on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import keys, state

if TYPE_CHECKING:
    from marsseg.store.records import RunRecord


def choose(run_id: str | None) -> None:
    """See one run, and pick no others."""
    state.remember(keys.RUN, run_id)
    st.session_state[keys.RUNS_PICKED] = []


def pick(run_ids: Sequence[str]) -> None:
    """Take over what was picked in the table: one run is shown, several wait for what shall be done.

    Sorting a column empties the table's selection; the run that is shown stays.
    """
    if len(run_ids) == 1:
        choose(run_ids[0])
    else:
        st.session_state[keys.RUNS_PICKED] = list(run_ids)


def clear() -> None:
    """Pick none."""
    st.session_state[keys.RUNS_PICKED] = []


def picked() -> list[str]:
    """The runs picked in the table: several, or the one that is shown."""
    several: list[str] = st.session_state.get(keys.RUNS_PICKED) or []
    return several or list(filter(None, [state.remembered(keys.RUN)]))


def shown(active: Sequence[RunRecord]) -> str:
    """The id of the run to show; without a choice, an active one, which stays on show when it ends."""
    chosen = state.remembered(keys.RUN)
    if not chosen and active:
        choose(chosen := active[0].id)
    return chosen


def forgetting(delete: Callable[..., object]) -> Callable[[list[str]], None]:
    """Delete runs, and choose none of them any more."""

    def act(run_ids: list[str]) -> None:
        count = f"{len(run_ids)} runs" if len(run_ids) > 1 else run_ids[0]
        if delete(run_ids, done=f"Deleted {count}."):
            clear()
            if state.remembered(keys.RUN) in run_ids:
                choose(None)

    return act
