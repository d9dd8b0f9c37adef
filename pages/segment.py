"""Upload an image, get it segmented."""

import streamlit as st

from marsseg import services
from marsseg.errors import MarsSegError
from marsseg.ui import keys, live, segment_page, shell, state

shell.begin_page(__file__)
lab = services.open_lab()

usable = services.usable_runs(lab)
if not usable:
    live.watch("segment", lambda: (bool(services.usable_runs(lab)), services.activity(lab).is_busy))
    shell.render_empty(
        "image_search",
        "No trained network yet",
        "Train one first; then drop an image here and see its terrain.",
    )
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.page_link("pages/train.py", label="Configure a run", icon=":material/play_circle:")
        if services.activity(lab).is_busy:
            st.page_link("pages/runs.py", label="Watch those under way", icon=":material/timeline:")
    st.stop()

choice = segment_page.render_controls(usable, state.from_address(keys.RUN), services.usual_decoding)
picture = segment_page.render_upload()
if picture is None:
    st.stop()


@st.cache_data(max_entries=4, show_spinner="Segmenting …")
def segment(
    version: str,  # noqa: ARG001 - part of the cache key
    run_id: str,
    content: bytes,
    options: services.SegmentOptions,
) -> services.SegmentedImage:
    return services.segment(lab, run_id, content, options)


try:
    version = f"{lab.settings.home} {services.get_run(lab, choice.run_id).finished_at}"
    options = services.SegmentOptions(choice.frame_size, choice.match_brightness, choice.decoding)
    result = segment(version, choice.run_id, picture.content, options)
except MarsSegError as error:
    shell.render_error(error)
    st.stop()
segment_page.render_result(result, picture.stem)
