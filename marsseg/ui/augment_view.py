"""Training tiles before and after: settings of New run, and what the input pipeline makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.errors import MarsSegError
from marsseg.ui import forms, keys, shell
from marsseg.ui.form_state import form_values
from marsseg.ui.mask_viewer import Panel, PanelRow, render_mask_grid

if TYPE_CHECKING:
    from marsseg.config import RunConfig
    from marsseg.services import AugmentationPreview, ChangedTile

    Draw = Callable[[RunConfig, int], AugmentationPreview]

_SECTION = "augment"


def render_link() -> None:
    """Under the form's augmentation: where its effect on the chosen dataset can be seen."""
    if st.session_state.get(keys.form_section(keys.TRAIN_FORM)) == _SECTION:
        st.page_link(
            "pages/data.py",
            label="See tiles before and after",
            icon=":material/compare:",
            query_params={keys.DATASET: str(form_values()["data.dataset"]), keys.DATA_TABS: keys.AUGMENT_TAB},
        )


def render_augmentation(dataset: str, draw: Draw) -> None:
    """The settings, and beside them pairs of tiles.

    Args:
        dataset: the one on show, whatever the form says.
        draw: makes the pairs of an epoch, counted from 1, as a run with a configuration would.
    """
    settings, pairs = st.columns([1, 4], gap="small")  # a pair fits side by side at 1440 pixels
    with settings:
        st.caption("The settings of New run: what is changed here is changed there.")
        forms.render_section(_SECTION)
    config, problems = forms.read_form()
    with pairs:
        if config is None:
            forms.render_problem(
                f"{len(problems)} of the fields of New run cannot work yet; mend the marked ones."
            )
            return
        _render_pairs(config.with_values({"data.dataset": dataset}), draw)


def _render_pairs(config: RunConfig, draw: Draw) -> None:
    epoch = st.session_state.setdefault(keys.AUGMENT_EPOCH, 1)
    try:
        preview = draw(config, epoch)
    except MarsSegError as error:
        shell.render_error(error)
        return

    def turn() -> None:
        st.session_state[keys.AUGMENT_EPOCH] = epoch + 1

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Another draw", key=keys.AUGMENT_NEXT, icon=":material/casino:", on_click=turn)
        st.caption(
            f"{len(preview.tiles)} of the {preview.batch_size} tiles of the first batch, exactly as a run "
            f"with seed {preview.seed} trains on them in epoch {preview.epoch}."
        )
    render_mask_grid([_row(tile) for tile in preview.tiles], key=keys.AUGMENT_GRID, one_line=True)


def _row(tile: ChangedTile) -> PanelRow:
    before = Panel("Before", tile.image, mask=tile.mask)
    return PanelRow(f"Tile {tile.row}", [before, Panel("After", tile.new_image, mask=tile.new_mask)])
