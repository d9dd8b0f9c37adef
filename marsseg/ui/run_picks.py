"""Which run is on show, and which several are chosen to act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import keys, state

if TYPE_CHECKING:
    from marsseg.store.records import RunRecord


def pick_one(run_id: str) -> None:
    """Choose one run to see it, and no others."""
    pick([run_id])


def pick(run_ids: Sequence[str]) -> None:
    """Choose one run to see it, or several to act on; none leaves the one on show as it is."""
    st.session_state[keys.RUNS_PICKED] = list(run_ids) if len(run_ids) > 1 else []
    if len(run_ids) == 1:
        state.remember(keys.RUN, run_ids[0])


def forget(run_ids: Sequence[str]) -> None:
    """Choose these no longer, as they are gone."""
    st.session_state[keys.RUNS_PICKED] = []
    on_show = {st.session_state.get(keys.remembered(keys.RUN)), state.from_address(keys.RUN)}
    if on_show & set(run_ids):
        state.remember(keys.RUN, None)


def several(shown: Sequence[RunRecord]) -> list[RunRecord]:
    """The chosen ones among the runs on show, if these are more than one."""
    ids = set(st.session_state.get(keys.RUNS_PICKED) or ())
    picked = [run for run in shown if run.id in ids]
    return picked if len(picked) > 1 else []


def on_show(active: Sequence[RunRecord]) -> str:
    """Id of the run to see: as chosen, or the oldest active one, which stays when it ends; or nothing."""
    chosen = state.remembered(keys.RUN)
    if not chosen and active:
        chosen = active[0].id
        state.remember(keys.RUN, chosen)
    return chosen
