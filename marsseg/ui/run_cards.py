"""Active runs, a card each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.ui import charts, formats, keys, live, run_picks, run_words, text
from marsseg.ui.run_uses import Use

if TYPE_CHECKING:
    from marsseg.services import RunDetails
    from marsseg.store.records import EpochRecord, RunRecord

STATUS_MARKS = {
    "queued": ("gray", "schedule"),
    "starting": ("blue", "rocket_launch"),
    "running": ("blue", "play_circle"),
    "stopping": ("orange", "stop_circle"),
    "completed": ("green", "check_circle"),
    "stopped": ("orange", "stop_circle"),
    "failed": ("red", "error"),
    "lost": ("red", "help"),
}
_NAME_LETTERS = 120
_POPOVER_WIDTH = 380


def render_badge(run: RunRecord) -> None:
    """The run's status in words, colour and icon."""
    color, icon = STATUS_MARKS[run.status]
    st.badge(run.status.capitalize(), color=color, icon=f":material/{icon}:")


def render_cards(runs: Sequence[RunRecord], read_details: Callable[[str], RunDetails], on_stop: Use) -> None:
    """A card for each of the runs."""
    for run in runs:
        render_card(run, read_details(run.id).epochs, on_stop)


def render_card(run: RunRecord, epochs: Sequence[EpochRecord], on_stop: Use) -> None:
    """One active run: name, phase, progress by step, speed, time left, validation score so far.

    The card stands in a part that refreshes by itself, so its buttons ask for the whole page.
    """
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            render_badge(run)
            name = text.markdown(text.shorten(run.name, _NAME_LETTERS))
            st.markdown(f"**{name}**", width="stretch", wrap=False)
            with st.container(
                horizontal=True, vertical_alignment="center", width="content", gap="small", wrap=False
            ):
                st.button(
                    "Open", key=keys.run_button("open", run.id), type="tertiary",
                    on_click=_then_page(run_picks.pick_one), args=(run.id,),
                )  # fmt: skip
                _stop(run, on_stop)
                _stop_now(run, on_stop)
        scores = [epoch.val_terrain_miou for epoch in epochs]
        progress, trend = st.columns([5, 1], vertical_alignment="bottom")
        with progress:
            st.progress(run_words.progress_share(run.progress), run_words.phase_text(run))
            _facts(run, scores)
        if len(scores) > 1:
            with trend:
                charts.render_curve(charts.sparkline(scores), keys.run_chart("trend", run.id))


def _stop(run: RunRecord, on_stop: Use) -> None:
    st.button(
        "Stop",
        key=keys.run_button("stop", run.id),
        icon=":material/stop:",
        disabled=run.stop_requested,
        help="Ends at the next batch; the best weights so far are still evaluated and exported.",
        on_click=_then_page(on_stop),
        args=(run.id,),
    )


def _stop_now(run: RunRecord, on_stop: Use) -> None:
    with st.popover("Stop now", type="tertiary", disabled=run.stop_now):
        st.markdown(
            "Ends within half a minute and skips evaluation and export: no test score, no masks, no network "
            "to segment with. Checkpoints stay, so it can be resumed.",
            width=_POPOVER_WIDTH,
        )
        st.button(
            "Stop now, without a score",
            key=keys.run_button("stop_now", run.id),
            icon=":material/dangerous:",
            disabled=run.stop_now,
            on_click=_then_page(on_stop),
            args=(run.id,),
            kwargs={"now": True},
        )


def _then_page(action: Callable[..., object]) -> Callable[..., None]:
    def act(*arguments: object, **options: object) -> None:
        action(*arguments, **options)
        live.want_page()

    return act


def _facts(run: RunRecord, scores: Sequence[float]) -> None:
    progress = run.progress
    known = [score for score in scores if formats.is_known(score)]
    parts = []
    if known:
        parts.append(f"validation mean IoU {formats.score(known[-1])}, best {formats.score(max(known))}")
    if progress and progress.images_per_second:
        parts.append(formats.rate(progress.images_per_second))
    if progress and progress.seconds_left is not None:
        parts.append(formats.time_left(progress.seconds_left))
    parts += [run_words.resources_text(run), run_words.which(run)]
    st.caption(text.markdown(" · ".join(filter(None, parts))))
