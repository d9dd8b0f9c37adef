"""Runs that are active or wait: a card each, and the queue with its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import charts, formats, keys, text

if TYPE_CHECKING:
    from marsseg.store.records import EpochRecord, Progress, RunRecord

_BADGES = {
    "queued": ("gray", "schedule"),
    "starting": ("blue", "rocket_launch"),
    "running": ("blue", "play_circle"),
    "stopping": ("orange", "stop_circle"),
    "completed": ("green", "check_circle"),
    "stopped": ("orange", "stop_circle"),
    "failed": ("red", "error"),
    "lost": ("red", "help"),
}


def render_badge(run: RunRecord) -> None:
    """The run's status in words, colour and icon."""
    color, icon = _BADGES[run.status]
    st.badge(run.status.capitalize(), color=color, icon=f":material/{icon}:")


def render_card(
    run: RunRecord,
    epochs: Sequence[EpochRecord],
    *,
    on_stop: Callable[[str], None],
    on_open: Callable[[str], None],
) -> None:
    """One active run: name, phase, progress by step, speed, time left, validation score so far.

    The card stands in a part that refreshes by itself, so its buttons run the whole page again.
    """
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            render_badge(run)
            st.markdown(f"**{text.markdown(text.shorten(run.name, 70))}**", width="stretch")
            if st.button("Open", key=keys.run_button("open", run.id), type="tertiary"):
                on_open(run.id)
                st.rerun()
            if st.button(
                "Stop",
                key=keys.run_button("stop", run.id),
                icon=":material/stop:",
                disabled=run.stop_requested,
                help="Ends at the next batch; the best weights so far are still evaluated and exported.",
            ):
                on_stop(run.id)
                st.rerun()
        scores = [epoch.val_terrain_miou for epoch in epochs]
        progress, trend = st.columns([5, 1], vertical_alignment="bottom")
        with progress:
            st.progress(progress_share(run.progress), phase_text(run))
            _facts(run, scores)
        if len(scores) > 1:
            with trend:
                charts.render_curve(charts.sparkline(scores), keys.run_chart("trend", run.id))


def phase_text(run: RunRecord) -> str:
    """What the run is doing, e.g. "epoch 3/40, step 12/125"."""
    progress = run.progress
    if run.status == "starting" or progress is None:
        return "starting the worker"
    if progress.phase == "training":
        return f"epoch {progress.epoch}/{progress.epochs}, step {progress.step}/{progress.steps}"
    if progress.phase == "building graph":
        return "building graph (up to half a minute)"
    return str(progress.phase)


def progress_share(progress: Progress | None) -> float:
    """How much of all steps is done, 0 to 1."""
    if progress is None or not progress.epochs:
        return 0.0
    if progress.phase in {"evaluating", "exporting"}:
        return 1.0
    within = progress.step / progress.steps if progress.steps else 0.0
    return min(1.0, max(0.0, (progress.epoch - 1 + within) / progress.epochs))


def render_queue(
    queue: Sequence[RunRecord],
    *,
    on_move: Callable[[str, str], None],
    on_remove: Callable[[str], None],
) -> None:
    """Waiting runs in the order in which they will start, if any; the order can be changed."""
    if queue:
        st.subheader("Queue")
    for place, run in enumerate(queue):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            name = text.markdown(text.shorten(run.name, 70))
            st.markdown(f":gray[{place + 1} ·] **{name}** :gray[· {_which(run)}]", width="stretch")
            for where, icon, hint in (("up", "arrow_upward", "Earlier"), ("down", "arrow_downward", "Later")):
                st.button(
                    "",
                    key=keys.run_button(where, run.id),
                    icon=f":material/{icon}:",
                    help=hint,
                    type="tertiary",
                    disabled=place == (0 if where == "up" else len(queue) - 1),
                    on_click=on_move,
                    args=(run.id, where),
                )
            st.button(
                "Remove",
                key=keys.run_button("remove", run.id),
                icon=":material/close:",
                type="tertiary",
                on_click=on_remove,
                args=(run.id,),
            )


def _facts(run: RunRecord, scores: Sequence[float]) -> None:
    progress = run.progress
    known = [score for score in scores if formats.is_known(score)]
    parts = [_which(run)]
    if known:
        parts.append(f"validation mean IoU {formats.score(known[-1])}, best {formats.score(max(known))}")
    if progress and progress.images_per_second:
        parts.append(formats.rate(progress.images_per_second))
    if progress and progress.seconds_left is not None:
        parts.append(formats.time_left(progress.seconds_left))
    st.caption(" · ".join(parts))


def _which(run: RunRecord) -> str:
    """What tells repeats apart, which share a name."""
    return f"seed {run.seed} · id {run.id}"
