"""Near-duplicate tiles that a split divides: a warning, and the pairs side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from marsseg.ui import formats, keys, text
from marsseg.ui.mask_viewer import Panel, PanelRow, render_mask_grid

if TYPE_CHECKING:
    from marsseg.data.arrays import DatasetArrays
    from marsseg.services import LeakPair, LeakReport

PAIRS_SHOWN = 12


def look(find: Callable[[], LeakReport]) -> LeakReport:
    """Look for leaks, which takes seconds the first time for a dataset of an older version."""
    with st.spinner("Looking for tiles that leak between the parts …"):
        return find()


def render_leaks(report: LeakReport, tiles: DatasetArrays, *, key: str) -> None:
    """Warn of what a split divides, with a button that shows it; nothing if it divides nothing."""
    if not report.warning:
        return
    st.markdown(f":orange[:material/warning: {text.markdown(report.warning)}]")
    if report.pairs and st.button("Look at the pairs", key=key, icon=":material/compare:"):
        st.dialog("Near-duplicate tiles in different parts", width="large", icon=":material/compare:")(
            _pairs
        )(report.pairs, tiles)


def render_leak_summary(find: Callable[[], LeakReport], tiles: DatasetArrays) -> None:
    """The leak guard's whole answer: also that nothing leaks, and what cannot be known."""
    st.markdown("**Leaks between the parts**")
    report = look(find)
    render_leaks(report, tiles, key=keys.DATA_LEAKS)
    said = [] if report.pairs else ["No near-duplicate tiles lie in different parts."]
    if report.together:
        nouns = "pair lies" if report.together == 1 else "pairs lie"
        said.append(
            f"{formats.count(report.together)} near-duplicate {nouns} within one part, which is harmless."
        )
    if report.knows_sources:
        said.append("Tiles of one source image stay in one part." if not report.groups else "")
    else:
        said.append("The source does not say which tiles were cut from one image, so these may be divided.")
    st.caption(" ".join(filter(None, said)))


def _pairs(pairs: Sequence[LeakPair], tiles: DatasetArrays) -> None:
    rows = [
        PanelRow(_title(pair), [_panel(tiles, pair, side) for side in (0, 1)]) for pair in pairs[:PAIRS_SHOWN]
    ]
    render_mask_grid(rows, key=keys.LEAK_GRID, one_line=True)
    if len(pairs) > PAIRS_SHOWN:
        st.caption(f"The {PAIRS_SHOWN} most alike of {formats.count(len(pairs))} are shown.")


def _title(pair: LeakPair) -> str:
    turned = f", mirrored {pair.mirrored}" if pair.mirrored else ""
    return f"Similarity {pair.similarity:.2f}{turned}"


def _panel(tiles: DatasetArrays, pair: LeakPair, side: int) -> Panel:
    row = pair.rows[side]
    return Panel(
        f"Tile {row}", np.asarray(tiles.images[row]), mask=np.asarray(tiles.masks[row]), note=pair.parts[side]
    )
