"""MarsSeg Lab: page registry. Start it with `make run`."""

import streamlit as st

from marsseg.errors import MarsSegError
from marsseg.ui import shell

st.set_page_config(page_icon=shell.ICON, layout="wide")

# The default page has no address but "/", and "/leaderboard" is what people guess and keep.
home = st.Page(shell.forward_to("pages/leaderboard.py"), title="Home", visibility="hidden", default=True)
page = st.navigation(
    {
        "": [home],
        "Prepare": [st.Page("pages/data.py", title="Data", icon=":material/dataset:")],
        "Experiment": [
            st.Page("pages/train.py", title="New run", icon=":material/play_circle:"),
            st.Page("pages/study.py", title="Ablation study", icon=":material/science:"),
            st.Page("pages/runs.py", title="Runs", icon=":material/timeline:"),
        ],
        "Compare": [
            st.Page("pages/leaderboard.py", title="Leaderboard", icon=":material/leaderboard:"),
            st.Page("pages/masks.py", title="Masks", icon=":material/compare:"),
        ],
        "Use": [st.Page("pages/segment.py", title="Segment", icon=":material/image_search:")],
    },
    expanded=True,
)
shell.end_detour()
if page is home:
    page.run()  # leads on to the leaderboard, before anything is drawn
st.set_page_config(page_title=f"{page.title} · MarsSeg Lab")
st.title(page.title)

# Only now, with navigation and title on screen: the first visit to a server waits for what this imports.
from marsseg import services  # noqa: E402

try:
    with st.spinner("Preparing the lab: the first start makes the demo terrain …", show_time=True):
        lab = services.open_lab()
    # Before the page, which may end the script early.
    shell.render_activity(lambda: services.activity(lab))
    page.run()
except MarsSegError as error:
    shell.render_error(error)
