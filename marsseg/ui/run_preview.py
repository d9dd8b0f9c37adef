"""What a person is about to run, beside the form: network, weights, loss, time, and what looks unwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from marsseg.config import RunConfig
from marsseg.ui import charts, diagram, formats, keys, run_words, text

if TYPE_CHECKING:
    from marsseg.services import RunPreview, RunShare


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


def render_start_choices() -> int:
    """How often to run it, and how soon; returns the number of repeats."""
    with st.container(horizontal=True):
        repeats = st.number_input(
            "Repeats", 1, 10, 1, key=keys.TRAIN_REPEATS, persist_state="session", width=130,
            help="The same configuration with consecutive seeds: repeats tell luck from effect.",
        )  # fmt: skip
        st.selectbox(
            "Priority", list(run_words.PRIORITIES), index=list(run_words.PRIORITIES).index(0), width=130,
            key=keys.TRAIN_PRIORITY, persist_state="session", format_func=run_words.priority_name,
            help="Higher starts first, whatever was queued before.",
        )  # fmt: skip
    return int(repeats)


def chosen_priority() -> int:
    """The priority chosen in the form; usual before it was drawn."""
    return int(st.session_state.get(keys.TRAIN_PRIORITY) or 0)


def render_share(share: RunShare) -> None:
    """What of the machine a run gets, in small print."""
    threads = f"{share.threads} of {share.cores} CPU threads"
    if share.gpus:
        names = ", ".join(dict.fromkeys(gpu.name for gpu in share.gpus))
        count = f"{len(share.gpus)} GPUs" if len(share.gpus) > 1 else "1 GPU"
        st.caption(f"Each run gets {threads} and one of {count} ({text.markdown(names)}).")
    elif share.slots > 1:
        st.caption(f"{share.slots} runs may train at once; each gets {threads}.")


def render_time(preview: RunPreview, runs: int = 1) -> None:
    """About how long, and what runs first."""
    source = "measured on this machine" if preview.measured else "typical for two cores"
    st.caption(
        f"{formats.about(preview.seconds_total * runs).capitalize()} for all epochs "
        f"({formats.duration(preview.seconds_per_epoch)} an epoch, {source})."
    )
    if wait := run_words.waits_for(preview.waiting):
        st.caption(f":material/hourglass_top: {text.markdown(wait)}")


def _facts(preview: RunPreview) -> None:
    size = preview.size
    with st.container(horizontal=True, gap="medium"):
        st.metric("Parameters", formats.compact(size.parameters), width="content")
        st.metric("Multiply-adds a tile", formats.compact(size.multiply_adds), width="content")
        st.metric(
            "Receptive field",
            f"{size.receptive_field} px",
            help="How far one output pixel can see.",
            width="content",
        )
    parts = [
        f"{part.name} {formats.count(part.tiles)} ({formats.count(part.with_big_rock)} with big rock)"
        for part in preview.split
    ]
    st.caption("Tiles: " + " · ".join(parts))
