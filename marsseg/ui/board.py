"""The leaderboard as a table: one row a configuration, best first."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.classes import CLASSES
from marsseg.config.describe import FIELDS, format_value
from marsseg.ui import formats, keys
from marsseg.ui.kinds import Kind, shape_of

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

    from marsseg.services import Leaderboard, LeaderboardRow

OPTIONAL_COLUMNS = ("Interval of Δ", "Class IoU", "Toggles", "Parameters", "Time", "n")
CHART_ROWS = 30
"""Rows that the charts show; the table shows all."""
_ROW_HEIGHT = 35


def board_frame(board: Leaderboard, columns: Sequence[str] = OPTIONAL_COLUMNS) -> pd.DataFrame:
    """The board as a frame: numbers stay numbers, so that a click on a title sorts them."""
    # Takes a third of a second to import, which the first page of a new server need not wait for.
    import pandas as pd

    return pd.DataFrame([_cells(rank, row, board, columns) for rank, row in enumerate(board.rows, start=1)])


def render_board(board: Leaderboard, columns: Sequence[str], selected: Sequence[str]) -> list[str]:
    """Draw the table and return the fingerprints of the selected rows.

    Args:
        selected: fingerprints selected before; they stay selected when the data change.
    """
    fingerprints = [row.fingerprint for row in board.rows]
    positions = [i for i, fingerprint in enumerate(fingerprints) if fingerprint in selected]
    event = st.dataframe(
        _styled(board_frame(board, columns)),
        column_config=_column_config(board),
        hide_index=True,
        key=keys.board_table(hash((*fingerprints, *columns))),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": positions, "columns": [], "cells": []}},
        row_height=_ROW_HEIGHT,
        height=min(12, len(board.rows) + 1) * _ROW_HEIGHT + 3,
        placeholder=formats.UNKNOWN,
        alt="Leaderboard of configurations, best first",
    )
    return [fingerprints[i] for i in event["selection"]["rows"]]


def _cells(rank: int, row: LeaderboardRow, board: Leaderboard, columns: Sequence[str]) -> dict[str, Any]:
    delta = row.delta
    cells: dict[str, Any] = {
        "#": rank,
        "What differs": row.name,
        "Mean IoU": row.score,
        "± sd": row.sd,
        "Δ points": None if delta is None else delta.value * 100,
    }
    if "Interval of Δ" in columns:
        cells["95 % interval"] = _interval(row)
    if "Class IoU" in columns:
        cells |= {each.name: _known(row.class_iou[each.index]) for each in _counted(board)}
    if "Toggles" in columns:
        cells |= {FIELDS[path].ui.label: _toggle(row.values.get(path)) for path in board.toggles}
    if "Parameters" in columns:
        cells["Parameters"] = row.parameters
    if "Time" in columns:
        cells["Minutes"] = None if row.seconds is None else row.seconds / 60
    if "n" in columns:
        cells["n"] = row.n
    return cells


def _interval(row: LeaderboardRow) -> str | None:
    delta = row.delta
    if delta is None:
        return "baseline"
    if delta.low is None or delta.high is None:
        return None
    return f"{formats.signed(delta.low * 100)} … {formats.signed(delta.high * 100)}"


def _toggle(value: Any) -> Any:
    """Numbers stay numbers, so that they sort and stand at the right."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if value is None or is_number else format_value(value)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _counted(board: Leaderboard) -> list[Any]:
    """Background is a column only where the lens can count it."""
    return [each for each in CLASSES if each.index or board.query.lens != "terrain"]


def _styled(frame: pd.DataFrame) -> Styler:
    """Shade the class columns from 0 to 1, so that weak classes show; transparent enough for both themes."""
    classes: list[Hashable] = [each.name for each in CLASSES if each.name in frame]
    return frame.style.map(_shade, subset=classes)


def _shade(value: Any) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"background-color: rgba(0, 158, 115, {0.45 * max(0.0, min(1.0, value)):.2f})"


def _column_config(board: Leaderboard) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    config: dict[str, Any] = {
        "#": number(width=40),
        "What differs": st.column_config.TextColumn(width="medium"),
        "Mean IoU": number(format="%.3f", help=f"{board.query.lens} lens, mean over repeats"),
        "± sd": number(format="%.3f", help="Standard deviation over repeats; – for a single run"),
        "Δ points": number(format="%+.1f", help="Difference to the baseline in hundredths of mean IoU"),
        "95 % interval": st.column_config.TextColumn(
            help="Paired bootstrap over test images: how far the difference could be luck of the images"
        ),
        "Parameters": number(format="localized"),
        "Minutes": number(format="%.1f", help="Mean training time"),
        "n": number(help="Runs that differ in the seed alone"),
    }
    for path in board.toggles:
        if shape_of(FIELDS[path]).kind in {Kind.INTEGER, Kind.NUMBER}:
            config[FIELDS[path].ui.label] = number(format="plain")
    config |= {each.name: number(each.name.capitalize(), format="%.3f") for each in CLASSES}
    return config


def render_board_charts(board: Leaderboard) -> None:
    """Below the table: what each change is worth, and what a score costs."""
    # Plotly takes half a second to import, which an empty board need not wait for.
    from marsseg.ui import charts

    shown = board.rows[:CHART_ROWS]
    others = [row for row in shown if row.delta is not None]
    baseline = next((row.name for row in board.rows if row.delta is None), "the baseline")
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("What each change is worth")
        if others:
            differences = [_difference(row, charts.Interval) for row in others]
            charts.render_chart(charts.forest_plot(differences, baseline=baseline), keys.BOARD_FOREST)
            st.caption("Filled points: the 95 % interval over test images stays clear of zero.")
        else:
            st.caption("Differences appear here once a second configuration has been scored.")
    with right:
        st.subheader("Score and cost")
        points = [
            charts.CostPoint(row.name, row.parameters, row.score, emphasis=row.delta is None) for row in shown
        ]
        charts.render_chart(
            charts.cost_chart(points, cost_name="parameters", logarithmic=True), keys.BOARD_COST
        )
        st.caption("The star is the baseline.")


def _difference(row: LeaderboardRow, interval: Callable[..., Any]) -> Any:
    delta = row.delta
    assert delta is not None
    clear = delta.low is not None and delta.high is not None and delta.low * delta.high > 0
    return interval(row.name, delta.value, delta.low, delta.high, row.n, emphasis=clear)
