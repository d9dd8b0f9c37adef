"""What a person is about to run, beside the form: network, weights, loss, time, and what looks unwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from marsseg.config import RunConfig
from marsseg.config.run import MAX_REPEATS
from marsseg.config.sizing import NetworkSize
from marsseg.ui import charts, diagram, formats, keys, run_words, text

if TYPE_CHECKING:
    from marsseg.services import RunPreview, RunShare

_STAGES_WIDTH = 440


def render_preview(config: RunConfig, preview: RunPreview) -> None:
    """Draw the preview of a valid configuration."""
    diagram.render_diagram(config.model)
    _facts(preview)
    for warning in preview.warnings:
        st.markdown(f":orange[:material/warning: {text.markdown(warning)}]")
    st.markdown("**Class weights in the loss**")
    charts.render_chart(charts.class_weight_chart(preview.weights), keys.CHART_WEIGHTS)
    if config.loss.focal:
        st.markdown("**Focal curve**")
        charts.render_chart(
            charts.focal_chart(config.loss.focal_gamma, config.loss.focal_alpha), keys.CHART_FOCAL
        )


def render_wishes() -> tuple[int, int]:
    """How often to run it, and how urgently: repeats and priority."""
    with st.container(horizontal=True):
        repeats = st.number_input(
            "Repeats", 1, MAX_REPEATS, 1, key=keys.TRAIN_REPEATS, persist_state="session", width=130,
            help="The same configuration with consecutive seeds: repeats tell luck from effect.",
        )  # fmt: skip
        priority = st.segmented_control(
            "Priority", sorted(run_words.PRIORITIES), default=0, key=keys.TRAIN_PRIORITY, required=True,
            persist_state="session", format_func=run_words.priority_name,
            help="Higher starts first; the queue on the Runs page can be changed later.",
        )  # fmt: skip
    return int(repeats), int(priority)


def render_time(preview: RunPreview, share: RunShare, runs: int = 1) -> None:
    """Whether it would have to wait and for what, about how long it takes, and what it is given."""
    if wait := run_words.waits_for(preview.waiting):
        st.markdown(f":orange[:material/hourglass_top:] {text.markdown(wait)}")
    source = "measured on this machine" if preview.measured else "typical for two cores"
    st.caption(
        f"{formats.about(preview.seconds_total * runs).capitalize()} for all epochs "
        f"({formats.duration(preview.seconds_per_epoch)} an epoch, {source})."
    )
    st.caption(text.markdown(run_words.share_words(share)))


def _facts(preview: RunPreview) -> None:
    size = preview.size
    with st.container(horizontal=True, gap="medium"):
        st.metric("Parameters", formats.compact(size.parameters), width="content")
        st.metric("Multiply-adds a tile", formats.compact(size.multiply_adds), width="content")
        st.metric(
            "Receptive field",
            f"{size.receptive_field} px",
            "and the tile's means" if size.summarises_tile else None,
            delta_color="off",
            delta_arrow="off",
            help="How far one output pixel can see through convolutions and pooling windows. Channel "
            "squeeze, group normalisation and pyramids add means over the whole tile.",
            width="content",
        )
    _stages(size)
    parts = [
        f"{part.name} {formats.count(part.tiles)} ({formats.count(part.with_big_rock)} with big rock)"
        for part in preview.split
    ]
    st.caption("Tiles: " + " · ".join(parts))


def _stages(size: NetworkSize) -> None:
    """What each stage gives and costs, in the order in which an image passes through."""
    # Floats over the page: the panel is too narrow for four columns.
    with st.popover("Stages", icon=":material/table_rows:"), st.container(width=_STAGES_WIDTH):
        st.table(
            {
                "Stage": [level.name.replace("_", " ") for level in size.levels],
                "Output": [f"{level.height}×{level.width}×{level.channels}" for level in size.levels],
                "Parameters": [formats.compact(level.parameters) for level in size.levels],
                "Multiply-adds": [formats.compact(level.multiply_adds) for level in size.levels],
            },
            border="horizontal",
        )
