"""What a dataset is made of: counts, cleaning, shares, split, tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from marsseg.classes import BIG_ROCK, CLASSES
from marsseg.config import DataConfig
from marsseg.errors import MarsSegError
from marsseg.ui import charts, formats, keys, text
from marsseg.ui.mask_viewer import Panel, PanelRow, render_mask_grid
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.data.arrays import DatasetArrays
    from marsseg.services import DatasetReport, OutlierGroupView, SplitPart

THUMBNAILS = 6
TILES_A_PAGE = 12


def render_tabs() -> Sequence[Any]:
    """The page's tabs, of which the one in the address is open: overview, cleaning, tiles, augmentation."""
    names = ["Overview", "Cleaning report", "Tiles", keys.AUGMENT_TAB]
    return st.tabs(names, key=keys.DATA_TABS, bind="query-params")


def render_facts(report: DatasetReport) -> None:
    """The counts that matter, in one line."""
    facts = (
        ("Pairs", report.pairs, "Labelled tiles as imported."),
        ("Kept", report.kept, "Labelled tiles that runs see."),
        ("With big rock", report.with_big_rock, "Kept tiles that hold the rarest class."),
        ("Unlabelled test tiles", report.test_images, "Tiles without a mask, for a submission."),
    )
    for column, (label, value, hint) in zip(st.columns(len(facts)), facts, strict=True):
        column.metric(label, formats.count(value), help=hint)
    known_as = text.markdown(report.record.meta["known_as"] or "")
    source = text.markdown(text.shorten(report.record.source, 90))
    st.caption(f"{known_as} From {source} · sha256 {report.record.sha256[:12]}".strip())


def render_shares(report: DatasetReport) -> None:
    """Class shares before and after cleaning."""
    st.markdown("**Share of each class in the pixels**")
    charts.render_chart(charts.class_share_chart(report.share_after, report.share_before), keys.DATA_SHARES)
    st.caption("Hatched: all pairs. Solid: after cleaning.")


def render_split(summarise: Callable[[DataConfig], list[SplitPart]], config: DataConfig) -> DataConfig | None:
    """Sizes of the three parts with the default fractions, or others; returned unless they cannot work."""
    st.markdown("**Split**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        validation = st.number_input(
            "Validation (%)", 1, 80, 10, key=keys.SPLIT_VALIDATION, persist_state="session", width=140
        )
        test = st.number_input("Test (%)", 1, 80, 10, key=keys.SPLIT_TEST, persist_state="session", width=140)
        seed = st.number_input(
            "Split seed", 0, None, 0, key=keys.SPLIT_SEED, persist_state="session", width=140
        )
    try:
        wanted = DataConfig.model_validate(
            {
                **config.model_dump(),
                "validation_fraction": validation / 100,
                "test_fraction": test / 100,
                "split_seed": int(seed),
            }
        )
        parts = summarise(wanted)
    except (MarsSegError, ValueError) as error:
        st.error(text.markdown(_sentence(error)), icon=":material/error:")
        return None
    st.dataframe(
        {
            "Part": [part.name for part in parts],
            "Tiles": [part.tiles for part in parts],
            "With big rock": [part.with_big_rock for part in parts],
        },
        hide_index=True,
        width="content",
        alt="Sizes of the parts",
    )
    st.caption(
        "Tiles with big rock are spread evenly; tiles cut from one frame stay together where that is known."
    )
    return wanted


def render_groups(report: DatasetReport, tiles: DatasetArrays, on_keep: Callable[..., object]) -> None:
    """Suspected outlier groups with pictures; each can be kept.

    Args:
        on_keep: called with a group's id, and `keep`.
    """
    if not report.groups:
        st.caption(
            "No mask of several terrain classes repeats five times or more: nothing looks like an outlier."
        )
        return
    st.caption(
        "Hand-drawn boundaries do not repeat: a mask of two or more terrain classes that many tiles share, "
        "pixel for pixel, is suspected to be pasted."
    )
    for group in report.groups:
        _group(group, tiles, on_keep)


def render_browser(report: DatasetReport, tiles: DatasetArrays) -> None:
    """Tiles with their masks laid over, by class."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.pills(
            "Tiles that hold", range(len(CLASSES)), selection_mode="multi", key=keys.BROWSER_CLASSES,
            format_func=lambda index: CLASSES[index].name, persist_state="session",
        )  # fmt: skip
        dropped = st.toggle(
            "Only outliers", key=keys.BROWSER_DROPPED, persist_state="session",
            disabled=not report.record.dropped_rows,
        )  # fmt: skip
    rows = _matching(report, tiles, wanted, only_dropped=dropped)
    if not len(rows):
        st.caption("No tile holds all of these.")
        return
    pages = -(-len(rows) // TILES_A_PAGE)
    with st.container(horizontal=True, vertical_alignment="center"):
        page = st.number_input(
            "Page", 1, pages, 1, key=keys.browser_page(report.record.id, pages), width=140,
            persist_state="session", label_visibility="collapsed",
        )  # fmt: skip
        st.caption(f"Page {page} of {formats.count(pages)} · {counted(len(rows), 'tile')}")
    shown = rows[(int(page) - 1) * TILES_A_PAGE : int(page) * TILES_A_PAGE]
    render_mask_grid(_grid([_panel(tiles, int(row)) for row in shown]), key=keys.BROWSER_GRID)


def _group(group: OutlierGroupView, tiles: DatasetArrays, on_keep: Callable[..., object]) -> None:
    key = keys.group_keep(group.id)
    st.session_state[key] = "keep" if group.kept else "drop"
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            names = ", ".join(CLASSES[index].name for index in group.mask_classes)
            st.markdown(f"**{len(group.rows)} tiles share one mask** :gray[{names}]", width="stretch")
            st.segmented_control(
                "Decision", ["drop", "keep"], key=key, required=True, label_visibility="collapsed",
                on_change=lambda: on_keep(group.id, keep=st.session_state[key] == "keep"),
            )  # fmt: skip
        panels = [_panel(tiles, row) for row in group.rows[:THUMBNAILS]]
        render_mask_grid(_grid(panels), key=keys.group_grid(group.id))
        if len(group.rows) > THUMBNAILS:
            st.caption(f"{THUMBNAILS} of {formats.count(len(group.rows))} shown.")


def _matching(
    report: DatasetReport, tiles: DatasetArrays, wanted: Sequence[int], *, only_dropped: bool
) -> np.ndarray[Any, Any]:
    """Rows whose mask holds all wanted classes; those with much big rock first when it is wanted."""
    counts = tiles.counts
    holds = (counts[:, list(wanted)] > 0).all(axis=1) if wanted else np.ones(len(counts), bool)
    if only_dropped:
        holds &= np.isin(np.arange(len(counts)), report.record.dropped_rows)
    rows = np.flatnonzero(holds)
    if BIG_ROCK.index in wanted:
        rows = rows[np.argsort(-counts[rows, BIG_ROCK.index], kind="stable")]
    return rows


def _panel(tiles: DatasetArrays, row: int) -> Panel:
    return Panel(f"Tile {row}", np.asarray(tiles.images[row]), mask=np.asarray(tiles.masks[row]))


def _grid(panels: Sequence[Panel]) -> list[PanelRow]:
    """Each tile by itself: pointing at one says nothing about the others."""
    return [PanelRow("", [panel]) for panel in panels]


def _sentence(error: Exception) -> str:
    if isinstance(error, MarsSegError):
        return str(error)
    return "Validation and test together must leave at least 10 % of the tiles for training; lower one."
