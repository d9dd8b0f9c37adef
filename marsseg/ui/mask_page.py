"""Choose runs and an order, page through tiles, see each tile through every run."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from marsseg.metrics import DECODINGS, SPLITS
from marsseg.ui import formats, keys, run_words, state, text
from marsseg.ui.mask_viewer import Mode, Panel, PanelRow, render_mask_grid

if TYPE_CHECKING:
    from marsseg.services import TileView
    from marsseg.store.records import RunRecord

TILES_A_PAGE = 6
_ALIKE = 24
"""Names that begin with this many equal letters look the same once they are cut to a picture's width."""
_ORDERS = {"worst": "worst first", "disagreement": "most disagreement first", "index": "dataset order"}


@dataclass(frozen=True, slots=True)
class MaskChoice:
    """What a person chose to see."""

    run_ids: tuple[str, ...]
    split: str
    decoding: str
    order: str
    errors: bool


def render_controls(
    runs: Mapping[str, RunRecord], scores: Mapping[str, float], asked: Sequence[str], *, most: int
) -> MaskChoice:
    """Draw the choices and return them.

    Args:
        runs: what can be chosen.
        scores: of all runs, by id.
        asked: the runs in the address, which comes first.
        most: how many runs can be compared.
    """
    _choose_runs(runs, scores, asked[:most])
    run_ids = st.multiselect(
        "Runs", list(runs), key=keys.MASK_RUNS, persist_state="session", max_selections=most,
        help=f"One to {most} runs of one dataset.",
        on_change=lambda: state.to_address(keys.RUNS, st.session_state[keys.MASK_RUNS]),
        format_func=lambda i: f"{formats.score(scores[i])} · {run_words.name_with_fold(runs[i], 60)} ({i})",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        order = st.segmented_control(
            "Order", list(_ORDERS), default="worst", key=keys.MASK_ORDER, required=True, bind="query-params",
            format_func=lambda word: _ORDERS[word],
        )  # fmt: skip
        split = st.segmented_control(
            "Split", sorted(SPLITS), default="test", key=keys.MASK_SPLIT, required=True, bind="query-params"
        )
        decoding = st.segmented_control(
            "Decoding", sorted(DECODINGS, reverse=True), default="terrain_only", key=keys.MASK_DECODING,
            required=True, bind="query-params", format_func=lambda word: formats.DECODING_NAMES[word],
        )  # fmt: skip
        errors = st.toggle(
            "Errors instead of masks", key=keys.MASK_ERRORS, persist_state="session",
            help="Colours only what is wrong, by the class that was predicted. A single run shows its mask, "
            "too, while this is off.",
        )  # fmt: skip
    return MaskChoice(tuple(run_ids), str(split), str(decoding), str(order), errors)


def _choose_runs(runs: Mapping[str, RunRecord], scores: Mapping[str, float], asked: Sequence[str]) -> None:
    """Set the widget: to the address, else to what it held as far as that exists, else to the best run."""
    held = st.session_state.get(keys.MASK_RUNS)
    if asked:
        chosen = list(asked)
    elif held is not None:
        chosen = [run_id for run_id in held if run_id in runs]
    else:
        chosen = [max(runs, key=lambda run_id: scores[run_id] if formats.is_known(scores[run_id]) else -1.0)]
    st.session_state[keys.MASK_RUNS] = chosen


def render_pager(n_tiles: int, view: Hashable) -> int:
    """Previous and next; returns the position of the page's first tile. Another `view` starts anew."""
    pages = max(1, -(-n_tiles // TILES_A_PAGE))
    seen, page = st.session_state.get(keys.MASK_PAGE, (view, 0))
    page = min(page, pages - 1) if seen == view else 0

    def turn(by: int) -> None:
        st.session_state[keys.MASK_PAGE] = (view, page + by)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Previous", key=keys.MASK_PREVIOUS, icon=":material/chevron_left:", disabled=page == 0,
                  on_click=turn, args=(-1,))  # fmt: skip
        st.button("Next", key=keys.MASK_NEXT, icon=":material/chevron_right:", icon_position="right",
                  disabled=page == pages - 1, on_click=turn, args=(1,))  # fmt: skip
        last = min((page + 1) * TILES_A_PAGE, n_tiles)
        st.caption(
            f"Tiles {page * TILES_A_PAGE + 1}–{last} of {formats.count(n_tiles)}; "
            "beside each run, how many of the labelled pixels it gets right"
        )
    return page * TILES_A_PAGE


def render_tiles(tiles: Sequence[TileView], runs: Sequence[RunRecord], errors: bool) -> None:
    """One row a tile: image, truth, each prediction or its errors, and where the runs differ."""
    marks = _marks(runs)
    render_mask_grid([_row(tile, runs, marks, errors) for tile in tiles], key=keys.MASK_GRID, one_line=True)


def _marks(runs: Sequence[RunRecord]) -> list[str]:
    """The id of each run whose name does not tell it from the others, else nothing."""
    starts = [text.one_line(run.name)[:_ALIKE] for run in runs]
    return [run.id if starts.count(start) > 1 else "" for run, start in zip(runs, starts, strict=True)]


def _row(tile: TileView, runs: Sequence[RunRecord], marks: Sequence[str], errors: bool) -> PanelRow:
    panels = [Panel("Image", tile.image, mode="image"), Panel("Truth", tile.image, mask=tile.truth)]
    mode: Mode = "error" if errors else "overlay"
    for run, mark, mask, accuracy in zip(runs, marks, tile.predictions, tile.accuracies, strict=True):
        note = " · ".join(part for part in (mark, formats.percent(accuracy)) if part)
        panels.append(Panel(run.name, tile.image, mask=mask, truth=tile.truth, mode=mode, note=note))
    if len(runs) > 1:
        panels.append(_dispute(tile))
    elif not errors:
        panels.append(Panel("Errors", tile.image, mask=tile.predictions[0], truth=tile.truth, mode="error"))
    return PanelRow(f"Tile {tile.row}", panels)


def _dispute(tile: TileView) -> Panel:
    """Marks the pixels on which the runs are not of one mind."""
    stacked = np.stack(tile.predictions)
    disputed = (stacked != stacked[:1]).any(axis=0).astype(np.uint8)
    note = formats.percent(tile.disagreement)
    return Panel("Where they differ", tile.image, mask=disputed, mode="difference", note=note)
