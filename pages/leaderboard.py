"""What helped: configurations ranked, and compared to a baseline."""

from functools import partial

import streamlit as st

from marsseg import services
from marsseg.errors import NotFoundError
from marsseg.ui import board, board_controls, keys, live, shell

shell.begin_page(__file__)
lab = services.open_lab()

start_demo = shell.once(
    lambda: services.submit_demo_ablation(lab),
    lambda _: shell.flash("Three small runs are queued; they appear one by one."),
)
choice = board_controls.render_controls(services.scored_datasets(lab))
try:
    ranked = services.leaderboard(lab, services.make_query(**choice))
except NotFoundError:  # the baseline that was chosen is not on this board, or not any more
    ranked = services.leaderboard(lab, services.make_query(**{**choice, "baseline": None}))
activity = services.activity(lab)
live.watch(
    "leaderboard", lambda: (services.store_version(lab), services.activity(lab).is_busy), idle_every=10
)

if not ranked.rows:
    if activity.is_busy:
        shell.render_empty(
            "hourglass_top", "First results are on their way", "Rows appear here by themselves as runs end."
        )
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.page_link("pages/runs.py", label="Watch the runs", icon=":material/timeline:")
    else:
        shell.render_empty(
            "leaderboard",
            "No results yet",
            "Runs are ranked here once they have ended, with what each change was worth. The demo ablation "
            "trains three small networks on the built-in terrain: a first answer in a few minutes.",
        )
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.button("Run the demo ablation", type="primary", icon=":material/science:", on_click=start_demo)
            if services.finished_runs(lab, limit=1):
                label = "Look at the runs that ended"
                st.page_link("pages/runs.py", label=label, icon=":material/timeline:")
    st.stop()

words, columns = board_controls.render_view(ranked)
shown = services.filter_board(ranked, words)
if not shown.rows:
    st.caption("No row holds all of these words; empty the filter to see every row.")
    st.stop()
selected = board.render_board(shown, columns, st.session_state.get(keys.BOARD_SELECTED, []))
st.session_state[keys.BOARD_SELECTED] = selected
runs = board_controls.representatives(ranked, selected)
if shown.caveat:
    st.caption(shown.caveat)

with st.container(horizontal=True, vertical_alignment="center"):
    if st.button(
        "Compare masks",
        type="primary",
        icon=":material/compare:",
        disabled=not 1 <= len(runs) <= services.MAX_RUNS,
        help=f"Select one to {services.MAX_RUNS} rows in the table first.",
    ):
        st.switch_page("pages/masks.py", query_params={keys.RUNS: ",".join(runs)})
    board_controls.render_diff(ranked, selected)
    board_controls.render_export(
        {form: partial(services.leaderboard_text, shown, form) for form in keys.BOARD_FORMATS}
    )
    board_controls.render_hidden(ranked, shown, selected)

board.render_board_charts(shown)
