"""Runs that have ended, as a table to choose one from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.ui import formats, keys

if TYPE_CHECKING:
    from marsseg.store.records import RunRecord

_MARKS = {"completed": "✓ completed", "stopped": "■ stopped", "failed": "✕ failed", "lost": "? lost"}
_ROW_HEIGHT = 35


def render_run_table(
    runs: Sequence[RunRecord],
    scores: Mapping[str, float],
    chosen: str,
    *,
    on_choose: Callable[[str], object],
) -> None:
    """Draw the table with the chosen run selected, whoever chose it."""
    import pandas as pd  # not before there is a table: it takes a third of a second

    ids = [run.id for run in runs]
    key = keys.run_table(hash(tuple(ids)))
    _select(key, [ids.index(chosen)] if chosen in ids else [])

    def choose() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:  # sorting a column empties the selection; the run stays chosen
            on_choose(ids[rows[0]])

    st.dataframe(
        pd.DataFrame([_cells(run, scores.get(run.id)) for run in runs]),
        column_config={
            "Name": st.column_config.TextColumn(width=280),
            "Started": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
            "Test mean IoU": st.column_config.NumberColumn(
                format="%.3f", help="Terrain lens, terrain-only decoding"
            ),
            "Minutes": st.column_config.NumberColumn(format="%.1f"),
            "Reason": st.column_config.TextColumn(width="large"),
        },
        hide_index=True,
        key=key,
        on_select=choose,
        selection_mode="single-row",
        row_height=_ROW_HEIGHT,
        height=min(9, len(runs) + 1) * _ROW_HEIGHT + 3,
        placeholder=formats.UNKNOWN,
        alt="Runs that have ended, newest first",
    )


def _select(key: str, rows: list[int]) -> None:
    now = st.session_state.get(key)
    if now is None or now["selection"]["rows"] != rows:
        st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def _cells(run: RunRecord, score: float | None) -> dict[str, Any]:
    return {
        "Name": run.name,
        "Status": _MARKS[run.status],
        "Test mean IoU": score,
        "Minutes": None if run.train_seconds is None else run.train_seconds / 60,
        "Dataset": run.dataset_name,
        "Seed": run.seed,
        "Started": None if run.started_at is None else datetime.fromtimestamp(run.started_at).astimezone(),
        "Reason": run.reason,
        "Id": run.id,
    }
