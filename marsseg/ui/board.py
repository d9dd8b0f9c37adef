"""The leaderboard as a table: one row a configuration, best first."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.classes import CLASSES
from marsseg.config.describe import FIELDS, format_value
from marsseg.ui import formats, keys, text
from marsseg.ui.kinds import Kind, shape_of
from marsseg.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

    from marsseg.services import Leaderboard, LeaderboardRow

OPTIONAL_COLUMNS = ("Interval of Δ", "Class IoU", "Toggles", "Parameters", "Time", "n")
MOST_ROWS = 1_000
"""Rows that the table shows: each one more is drawn and sent again with every click."""
CHART_ROWS = 30
"""Rows that the charts show."""
DELTA = "Δ points"
BASIS = "Scored over"
_BASIS_HELP = (
    "On the validation split, the folds of one configuration are judged as one: their confusion matrices are "
    "summed, then scored. On the test split, which all folds share, it is the mean over folds."
)
_OTHER_TILES = (
    " Rows with another split than the baseline are compared on the tiles that both were scored on, which "
    "are few: such a difference is not that of the two scores. Train both with one split seed to use all."
)
_ROW_HEIGHT = 35
_NAME_WIDTH = 250
_LETTER_WIDTH = 6
_CELL_PADDING = 20
_BASELINE_STYLE = "background-color: rgba(200, 94, 48, 0.14); font-weight: 600"


def board_frame(board: Leaderboard, columns: Sequence[str] = OPTIONAL_COLUMNS) -> pd.DataFrame:
    """The board as a frame: numbers stay numbers, so that a click on a title sorts them."""
    # Takes a third of a second to import, which the first page of a new server need not wait for.
    import pandas as pd

    basis = board.has_folds
    rows = enumerate(board.rows, start=1)
    return pd.DataFrame([_cells(rank, row, board, columns, basis=basis) for rank, row in rows])


def rows_in_table(board: Leaderboard) -> tuple[LeaderboardRow, ...]:
    """The rows that the table shows: all but for a long board."""
    return board.rows[:MOST_ROWS]


def render_board(board: Leaderboard, columns: Sequence[str], selected: Sequence[str]) -> list[str]:
    """Draw the table, the first rows of a long board, and return the keys of the selected rows.

    Args:
        selected: keys of the rows selected before; they stay selected when the data change, and while the
            table does not show them.
    """
    if len(board.rows) > MOST_ROWS:
        st.caption(
            f"The best {formats.count(MOST_ROWS)} of {formats.count(len(board.rows))}; narrow the filter to "
            "find others. Exports hold all."
        )
        board = replace(board, rows=rows_in_table(board))
    rows = [row.key for row in board.rows]
    positions = [i for i, row in enumerate(rows) if row in selected]
    event = st.dataframe(
        board_styler(board, columns),
        column_config=_column_config(board),
        hide_index=True,
        key=keys.board_table(hash((*rows, *columns))),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": positions, "columns": [], "cells": []}},
        row_height=_ROW_HEIGHT,
        height=min(12, len(board.rows) + 1) * _ROW_HEIGHT + 3,
        placeholder=formats.UNKNOWN,
        alt="Leaderboard of configurations, best first",
    )
    return [*(key for key in selected if key not in rows), *(rows[i] for i in event["selection"]["rows"])]


def _cells(
    rank: int, row: LeaderboardRow, board: Leaderboard, columns: Sequence[str], *, basis: bool
) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "#": rank,
        "What differs": row.name,
        "Mean IoU": row.score,
        "± sd": row.sd,
        **({BASIS: row.basis} if basis else {}),
        DELTA: _points(row),
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


def _points(row: LeaderboardRow) -> float | None:
    """The difference in points; the baseline's own is 0, so that it sorts among the others."""
    if row.is_baseline:
        return 0.0
    return None if row.delta is None else row.delta.value * 100


def _interval(row: LeaderboardRow) -> str | None:
    delta = row.delta
    if delta is None or delta.low is None or delta.high is None:
        return None
    shared = "" if delta.shared_tiles is None else f" on {counted(delta.shared_tiles, 'tile')}"
    return f"{formats.signed(delta.low * 100)} … {formats.signed(delta.high * 100)}{shared}"


def _toggle(value: Any) -> Any:
    """Numbers stay numbers, so that they sort and stand at the right."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if value is None or is_number else format_value(value)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _counted(board: Leaderboard) -> list[Any]:
    """Background is a column only where the lens can count it."""
    return [each for each in CLASSES if each.index or board.query.lens != "terrain"]


def board_styler(board: Leaderboard, columns: Sequence[str] = OPTIONAL_COLUMNS) -> Styler:
    """The frame as people read it: signs as wide as digits, weak classes pale, the baseline marked.

    All shades are transparent enough for both themes.
    """
    frame = board_frame(board, columns)
    at = [i for i, row in enumerate(board.rows) if row.is_baseline]
    classes: list[Hashable] = [each.name for each in CLASSES if each.name in frame]
    others: list[Hashable] = [name for name in frame if name not in classes]
    return (
        frame.style.format(_signed, subset=[DELTA])
        .format("baseline", subset=(at, [DELTA]))
        .map(_shade, subset=classes)
        .map(lambda _: _BASELINE_STYLE, subset=(at, others))
    )


def _signed(points: Any) -> str:
    return formats.signed(points)


def _shade(value: Any) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"background-color: rgba(0, 158, 115, {0.45 * max(0.0, min(1.0, value)):.2f})"


def _column_config(board: Leaderboard) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    config: dict[str, Any] = {
        "#": number(width=36),
        "What differs": st.column_config.TextColumn(width=_NAME_WIDTH),
        "Mean IoU": number(format="%.3f", help=f"{board.query.lens} lens, mean over repeats"),
        "± sd": number(format="%.3f", help="Standard deviation over repeats; – for a single run"),
        # No format here: the one of `board_styler` writes a true minus sign.
        DELTA: number(help="Difference to the baseline in hundredths of mean IoU"),
        "95 % interval": st.column_config.TextColumn(
            help=f"Paired bootstrap over {board.query.split} images, whole frames where the dataset knows "
            "them: how far the difference could be luck of the images. None where too few hold every class"
        ),
        "Parameters": number(format="localized"),
        "Minutes": number(format="%.1f", help="Mean training time"),
        "n": number(width=36, help="Scores averaged: repeats with other seeds, or folds that are not pooled"),
        BASIS: st.column_config.TextColumn(width=_basis_width(board), help=_BASIS_HELP),
    }
    config |= {FIELDS[path].ui.label: _toggle_column(path, board.toggles) for path in board.toggles}
    config |= {each.name: number(each.name.capitalize(), format="%.3f") for each in CLASSES}
    return config


def _basis_width(board: Leaderboard) -> int:
    """Wide enough for every row: left to itself, the table looks at a few of them."""
    letters = max(map(len, (BASIS, *(row.basis for row in board.rows))))
    return letters * _LETTER_WIDTH + _CELL_PADDING


def _toggle_column(path: str, toggles: Sequence[str]) -> Any:
    """A toggle goes by the short word that names runs too; the whole label stands in the help."""
    ui = FIELDS[path].ui
    alike = sum(FIELDS[other].ui.short_name == ui.short_name for other in toggles) > 1
    title, explanation = (ui.label if alike else ui.short_name), f"{ui.label}. {text.markdown(ui.help)}"
    formats_by_kind = {Kind.INTEGER: "%d", Kind.NUMBER: "%g"}  # "plain" draws 4000 as 3999.9999999995
    if form := formats_by_kind.get(shape_of(FIELDS[path]).kind):
        return st.column_config.NumberColumn(title, format=form, help=explanation)
    return st.column_config.TextColumn(title, help=explanation)


def render_board_charts(board: Leaderboard) -> None:
    """Below the table: what each change is worth, and what a score costs."""
    # Plotly takes half a second to import, which an empty board need not wait for.
    from marsseg.ui import charts

    baseline = next((row for row in board.rows if row.is_baseline), None)
    name = "the baseline" if baseline is None else text.shorten(baseline.name, 60)
    grid = st.grid(2, min_column_width=400, gap="medium")
    with grid.cell():
        st.subheader("What each change is worth")
        others = [row for row in board.rows[:CHART_ROWS] if row.delta is not None]
        if others:
            differences = [_difference(row, charts.Interval) for row in others]
            charts.render_chart(charts.forest_plot(differences, baseline=name), keys.BOARD_FOREST)
            st.caption(
                f"Compared with {text.markdown(name)}. Filled points: the 95 % interval over "
                f"{board.query.split} images stays clear of zero.{_OTHER_TILES * board.has_other_tiles}"
            )
        else:
            st.caption("Differences appear here once a second configuration has been scored.")
    with grid.cell():
        st.subheader("Score and cost")
        first, rest = board.rows[:CHART_ROWS], board.rows[CHART_ROWS:]
        points = [
            charts.CostPoint(row.name, row.parameters, row.score, emphasis=row is baseline)
            for row in (*first, *(row for row in rest if row is baseline))
        ]
        charts.render_chart(
            charts.cost_chart(points, cost_name="parameters", logarithmic=True), keys.BOARD_COST
        )
        st.caption("The star is the baseline; hover over a point for its name.")


def _difference(row: LeaderboardRow, interval: Callable[..., Any]) -> Any:
    delta = row.delta
    assert delta is not None
    clear = delta.low is not None and delta.high is not None and delta.low * delta.high > 0
    return interval(row.name, delta.value, delta.low, delta.high, row.n, emphasis=clear)
