"""What stands around the leaderboard's table: how to score, what to compare with, what to take away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.config.describe import FIELDS, format_value, unless_off
from marsseg.metrics import DECODINGS, LENSES, SPLITS
from marsseg.ui import formats, keys, state, text
from marsseg.ui.board import OPTIONAL_COLUMNS, rows_in_table
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import Leaderboard, LeaderboardRow

_EXPORTS = {
    "csv": ("CSV", "text/csv", "csv"),
    "json": ("JSON", "application/json", "json"),
    "md": ("Markdown", "text/markdown", "md"),
    "latex": ("LaTeX", "application/x-tex", "tex"),
}


def render_controls(datasets: Sequence[str]) -> dict[str, str | None]:
    """Lens, decoding, split and dataset; all of them stand in the address."""
    with st.container(horizontal=True):
        lens = st.segmented_control(
            "Lens", LENSES, key=keys.LENS, default="terrain", required=True, bind="query-params",
            help="terrain: labelled pixels, mean over the four terrain classes. course: one predicted "
            "background pixel adds a fifth class with IoU 0. strict: all pixels, all five classes.",
        )  # fmt: skip
        decoding = st.segmented_control(
            "Decoding", sorted(DECODINGS, reverse=True), key=keys.DECODING, default="terrain_only",
            required=True, bind="query-params", format_func=lambda word: formats.DECODING_NAMES[word],
            help="Whether a pixel may be called background, or always gets its likeliest terrain class.",
        )  # fmt: skip
        split = st.segmented_control(
            "Split", sorted(SPLITS), key=keys.SPLIT, default="test", required=True, bind="query-params",
            help="Validation tiles chose the best epoch, so test tiles give the honest score.",
        )  # fmt: skip
        dataset = None
        if len(datasets) > 1:
            dataset = st.selectbox(
                "Dataset", datasets, key=keys.BOARD_DATASET, bind="query-params", width=220,
                help="Scores on different datasets cannot be compared.",
            )  # fmt: skip
    return {
        "lens": str(lens),
        "decoding": str(decoding),
        "split": str(split),
        "dataset": dataset,
        "baseline": state.remembered(keys.BASELINE) or None,
    }


def render_view(board: Leaderboard) -> tuple[str, list[str]]:
    """What to compare with; returns the filter's words and the columns to show."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _baseline(board)
        words = st.text_input(
            "Filter", key=keys.BOARD_FILTER, placeholder=f"Words in {counted(len(board.rows), 'row')}",
            bind="query-params", width=240, icon=":material/filter_list:",
        )  # fmt: skip
        with st.popover("Columns", icon=":material/view_column:"):
            columns = st.pills(
                "Columns", OPTIONAL_COLUMNS, selection_mode="multi", default=list(OPTIONAL_COLUMNS),
                key=keys.BOARD_COLUMNS, persist_state="session", label_visibility="collapsed",
            )  # fmt: skip
    return words or "", list(columns)


def _baseline(board: Leaderboard) -> None:
    """Choose which row differences are taken to; the widget shows what the board was ranked with."""
    names = _distinct_names(board)

    def choose() -> None:
        state.remember(keys.BASELINE, st.session_state[keys.BASELINE_WIDGET])

    st.session_state[keys.BASELINE_WIDGET] = board.baseline
    st.selectbox(
        "Baseline",
        list(names),
        key=keys.BASELINE_WIDGET,
        format_func=lambda key: names[key],
        on_change=choose,
        help="Differences and names of all rows are taken to this one.",
    )


def _distinct_names(board: Leaderboard) -> dict[str, str]:
    """Short names by row key; alike ones tell their key, since a widget knows names alone."""
    names = {row.key: text.shorten(row.name, 48) for row in board.rows}
    seen = Counter(names.values())
    return {key: f"{name} ({key[:6]})" if seen[name] > 1 else name for key, name in names.items()}


def render_hidden(board: Leaderboard, shown: Leaderboard, chosen: Sequence[str]) -> None:
    """Say which of the selected rows the table does not show, and let go of them if asked to.

    Args:
        shown: the rows that pass the filter.
    """
    on_board = {row.key for row in board.rows}.intersection(chosen)
    hidden = on_board - {row.key for row in rows_in_table(shown)}
    if not hidden:
        return
    where = (
        "beyond the table's last row" if hidden <= {row.key for row in shown.rows} else "hidden by the filter"
    )

    def let_go() -> None:
        st.session_state[keys.BOARD_SELECTED] = [key for key in chosen if key not in hidden]

    st.caption(f"{len(on_board)} selected, {len(hidden)} {where}", width="content")
    st.button("Deselect hidden", key=keys.BOARD_LET_GO, type="tertiary", on_click=let_go)


def representatives(board: Leaderboard, chosen: Sequence[str]) -> list[str]:
    """The latest run of each selected row."""
    return [row.run_ids[-1] for row in board.rows if row.key in chosen]


def render_diff(board: Leaderboard, chosen: Sequence[str]) -> None:
    """Show where the selected configurations differ, field by field."""
    rows = [row for row in board.rows if row.key in chosen]
    with st.popover("Diff configs", icon=":material/difference:", disabled=len(rows) < 2):
        if len(rows) < 2:
            return
        paths = _differing(rows)
        if not paths:
            st.caption("These configurations have the same effect.")
            return
        st.table(
            {
                "Field": [FIELDS[path].ui.label for path in paths],
                **{
                    _column(row): [text.markdown(format_value(row.values.get(path))) for path in paths]
                    for row in rows
                },
            },
            hide_index=True,
        )


def render_export(texts: Mapping[str, Callable[[], str]]) -> None:
    """Download all rows that pass the filter, in the same four forms as the terminal command.

    Args:
        texts: what writes each of them, called when it is asked for.
    """
    with st.popover("Export", icon=":material/download:"):
        for form, write in texts.items():
            label, mime, suffix = _EXPORTS[form]
            st.download_button(
                label, write, f"leaderboard.{suffix}", mime, key=keys.board_export(form), on_click="ignore",
                type="tertiary", icon=":material/description:",
            )  # fmt: skip


def _differing(rows: Sequence[LeaderboardRow]) -> list[str]:
    return [path for path in FIELDS if len({repr(unless_off(path, row.values)) for row in rows}) > 1]


def _column(row: LeaderboardRow) -> str:
    """A title that stays unique when two rows share a name."""
    return f"{text.markdown(text.shorten(row.name, 40))} ({row.key[:6]})"
