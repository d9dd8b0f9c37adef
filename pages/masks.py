"""The same tiles through several runs: image, truth, predictions, errors."""

import streamlit as st

from marsseg import services
from marsseg.errors import MarsSegError
from marsseg.ui import keys, live, mask_page, shell, state

shell.begin_page(__file__)
lab = services.open_lab()

scores, runs = services.score_by_run(lab), services.runs_with_masks(lab)
if not runs:
    live.watch("masks", lambda: (bool(services.runs_with_masks(lab)), services.activity(lab).is_busy))
    shell.render_empty(
        "compare", "No predictions yet", "Tiles appear here once a run has ended: image, truth and masks."
    )
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.page_link("pages/train.py", label="Configure a run", icon=":material/play_circle:")
        if services.activity(lab).is_busy:
            st.page_link("pages/runs.py", label="Watch those under way", icon=":material/timeline:")
    st.stop()

asked = state.list_from_address(keys.RUNS, allowed=runs)
if len(asked) < len(state.list_from_address(keys.RUNS)):
    st.warning(
        "Some runs in the address do not exist any more, or have no masks of terrain.", icon=":material/help:"
    )
choice = mask_page.render_controls(runs, scores, asked, most=services.MAX_RUNS)
state.to_address(keys.RUNS, choice.run_ids)
if not choice.run_ids:
    st.caption(f"Choose one to {services.MAX_RUNS} runs to see their masks.")
    st.stop()

try:
    comparison = services.mask_comparison(
        lab, choice.run_ids, split=choice.split, decoding=choice.decoding, order=choice.order
    )
except MarsSegError as error:
    shell.render_error(error)
    st.stop()

first = mask_page.render_pager(len(comparison), (choice.run_ids, choice.split, choice.decoding, choice.order))
tiles = [comparison.tile(i) for i in range(first, min(first + mask_page.TILES_A_PAGE, len(comparison)))]
mask_page.render_tiles(tiles, comparison.runs, choice.errors)
