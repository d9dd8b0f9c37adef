"""Runs that have ended: filters, and a table to choose one from to see it, or several to act on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.ui import formats, keys, run_picks

if TYPE_CHECKING:
    from marsseg.store.records import RunRecord

MOST_ROWS = 1_000
_MARKS = {"completed": "✓ completed", "stopped": "■ stopped", "failed": "✕ failed", "lost": "? lost"}
_ROW_HEIGHT = 35


@dataclass(frozen=True, slots=True)
class Finished:
    """All runs that have ended, newest first, with their test scores by id, and the tags that they have."""

    runs: tuple[RunRecord, ...]
    scores: Mapping[str, float]
    tags: tuple[str, ...]


@st.cache_resource(max_entries=4, show_spinner=False)
def load_finished(
    _read_runs: Callable[[], Sequence[RunRecord]],
    _read_scores: Callable[[], Mapping[str, float]],
    version: Hashable,  # noqa: ARG001 - what the answer is kept under
) -> Finished:
    """Read the runs once for each version of the store, whoever looks: there may be ten thousand."""
    runs = tuple(_read_runs())
    tags = sorted({tag for run in runs for tag in run.tags}, key=str.casefold)
    return Finished(runs, _read_scores(), tuple(tags))


def render_finished(finished: Finished, chosen: str) -> list[RunRecord]:
    """Draw filters and table, the chosen run selected; returns the runs picked where they are several."""
    passing = _filter(finished)[:MOST_ROWS]
    several = run_picks.several(passing)
    if passing:
        _table(passing, finished.scores, {run.id for run in several} or {chosen})
    return several


def _filter(finished: Finished) -> list[RunRecord]:
    """Draw the filters, which stand in the address, and return the runs that pass them."""
    archived = _heading(any(run.archived for run in finished.runs))
    with st.container(horizontal=True):
        words = st.text_input(
            "Find", key=keys.RUNS_WORDS, bind="query-params", width=230, icon=":material/search:",
            placeholder="Name, reason, notes, id",
        )  # fmt: skip
        tags = []
        if finished.tags:
            tags = st.multiselect(
                "Tags", finished.tags, key=keys.RUNS_TAG, bind="query-params", width=180, placeholder="All",
            )  # fmt: skip
        statuses = st.pills(
            "Status", list(_MARKS), selection_mode="multi", key=keys.RUNS_STATUS, bind="query-params",
            width="content",
        )  # fmt: skip
    passing = [run for run in finished.runs if _passes(run, words or "", statuses, tags, archived)]
    if not passing:
        all_archived = all(run.archived for run in finished.runs)
        st.caption("All runs that ended are archived." if all_archived else "No run passes these filters.")
    if len(passing) > MOST_ROWS:
        st.caption(
            f"The newest {formats.count(MOST_ROWS)} of {formats.count(len(passing))}; narrow the filters to "
            "find older ones."
        )
    return passing


def _heading(any_archived: bool) -> bool:
    """The title; returns whether archived runs are to be shown too."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Finished", width="stretch", anchor=False)
        if not any_archived:
            return False
        return bool(st.toggle("Show archived", key=keys.RUNS_ARCHIVED, bind="query-params"))


def _passes(run: RunRecord, words: str, statuses: Sequence[str], tags: Sequence[str], archived: bool) -> bool:
    if (run.archived and not archived) or (statuses and run.status not in statuses):
        return False
    if not set(tags) <= set(run.tags):
        return False
    if not words:
        return True
    text = "\n".join((run.name, run.reason, run.notes, run.id, *run.tags)).casefold()
    return all(word in text for word in words.casefold().split())


def _table(shown: Sequence[RunRecord], scores: Mapping[str, float], selected: set[str]) -> None:
    """A click into a row picks that run alone; ticking boxes picks several."""
    import pandas as pd  # not before there is a table: it takes a third of a second

    ids = [run.id for run in shown]
    key = keys.run_table(hash(tuple(ids)))
    _select(key, [row for row, run_id in enumerate(ids) if run_id in selected])

    def pick() -> None:
        selection = st.session_state[key]["selection"]
        if cells := selection["cells"]:
            run_picks.pick_one(ids[cells[0][0]])
        else:
            run_picks.pick([ids[row] for row in selection["rows"]])

    tags = st.column_config.MultiselectColumn(color="gray", width="small")
    fold = st.column_config.NumberColumn(help="Which fold validated the run, counted from 0")
    st.dataframe(
        pd.DataFrame([_cells(run, scores.get(run.id)) for run in shown]),
        column_config={
            "Name": st.column_config.TextColumn(width=280),
            "Tags": tags if any(run.tags for run in shown) else None,
            "Fold": fold if any(run.config.own_fold is not None for run in shown) else None,
            "Started": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
            "Test mean IoU": st.column_config.NumberColumn(
                format="%.3f", help="Terrain lens, terrain-only decoding"
            ),
            "Minutes": st.column_config.NumberColumn(format="%.1f"),
            "Reason": st.column_config.TextColumn(width="large"),
        },
        hide_index=True,
        key=key,
        on_select=pick,
        selection_mode=["multi-row", "single-cell"],
        row_height=_ROW_HEIGHT,
        height=min(9, len(shown) + 1) * _ROW_HEIGHT + 3,
        placeholder=formats.UNKNOWN,
        alt="Runs that have ended, newest first",
    )


def _select(key: str, rows: list[int]) -> None:
    now = st.session_state.get(key)
    if now is None or now["selection"]["rows"] != rows or now["selection"]["cells"]:
        st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def _cells(run: RunRecord, score: float | None) -> dict[str, Any]:
    return {
        "Name": run.name,
        "Status": _MARKS[run.status] + (" · archived" if run.archived else ""),
        "Test mean IoU": score,
        "Minutes": None if run.train_seconds is None else run.train_seconds / 60,
        "Tags": list(run.tags),
        "Dataset": run.dataset_name,
        "Seed": run.seed,
        "Fold": run.config.own_fold,
        "Started": None if run.started_at is None else datetime.fromtimestamp(run.started_at).astimezone(),
        "Reason": run.reason,
        "Id": run.id,
    }
