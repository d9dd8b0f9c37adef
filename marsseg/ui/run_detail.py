"""One run: curves, masks over epochs, log, configuration, timeline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.config import RunConfig
from marsseg.config.describe import FIELDS, differences, format_value
from marsseg.ui import charts, formats, keys, run_masks, text

if TYPE_CHECKING:
    from marsseg.services import Previews, RunDetails

VIEWS = ("Curves", "Masks over epochs", "Log", "Configuration", "Timeline")


def render_detail(
    details: RunDetails,
    *,
    read_previews: Callable[[], Previews | None],
    read_log: Callable[[], str],
    log_path: Path,
) -> None:
    """Draw the chosen view; only that one is read and sent."""
    view = st.segmented_control(
        "View", VIEWS, default=VIEWS[0], key=keys.RUN_VIEW, required=True, persist_state="session",
        label_visibility="collapsed",
    )  # fmt: skip
    if view == "Curves":
        _curves(details)
    elif view == "Masks over epochs":
        run_masks.render_previews(
            read_previews(), keys.run_chart("masks", details.run.id), details.run.best_epoch
        )
    elif view == "Log":
        _log(read_log(), log_path)
    elif view == "Configuration":
        _configuration(details.run.config)
    else:
        _timeline(details)


def _curves(details: RunDetails) -> None:
    epochs = details.epochs
    if not epochs:
        st.caption("Curves appear after the first epoch.")
        return
    numbers = [epoch.epoch for epoch in epochs]
    run_id = details.run.id
    grid = st.grid(2, min_column_width=380, gap="medium")
    with grid.cell():
        st.markdown("**Validation IoU by class**")
        scores = charts.iou_chart(
            numbers,
            [e.val_class_iou for e in epochs],
            [e.val_terrain_miou for e in epochs],
            best_epoch=details.run.best_epoch,
        )
        charts.render_curve(scores, keys.run_chart("iou", run_id))
        _facts(details)
    with grid.cell():
        st.markdown("**Loss**")
        losses = charts.loss_chart(numbers, [e.loss for e in epochs], [e.val_loss for e in epochs])
        charts.render_curve(losses, keys.run_chart("loss", run_id))
        st.markdown("**Learning rate**")
        rates = charts.learning_rate_chart(numbers, [e.learning_rate for e in epochs])
        charts.render_curve(rates, keys.run_chart("rate", run_id))


def _facts(details: RunDetails) -> None:
    run, epochs = details.run, details.epochs
    best = max(epochs, key=lambda e: e.val_terrain_miou if formats.is_known(e.val_terrain_miou) else -1.0)
    after = f"After epoch {best.epoch}."
    with st.container(horizontal=True, gap="medium"):
        st.metric("Best validation", formats.score(best.val_terrain_miou), help=after, width="content")
        st.metric("Parameters", formats.compact(run.parameters), width="content")
        seconds = sum(epoch.seconds for epoch in epochs)
        st.metric("Training time", formats.duration(seconds), width="content")


def _log(content: str, path: Path) -> None:
    if not content:
        st.caption("Nothing has been logged yet.")
        return
    words = st.text_input("Search", key=keys.LOG_SEARCH, placeholder="Lines that contain …", width=320)
    lines = [line for line in content.splitlines() if not words or words.casefold() in line.casefold()]
    st.code("\n".join(lines) or "No line contains that.", language=None, height=360)
    st.download_button(
        "Download the whole log",
        lambda: path.read_bytes() if path.is_file() else content,  # read when it is asked for
        "log.txt",
        "text/plain",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )
    st.caption("The last lines; a longer log is cut at the front.")


def _configuration(config: RunConfig) -> None:
    changed = differences(config, RunConfig())
    st.markdown("**What differs from the defaults**")
    if changed:
        st.table(
            {
                "Field": [FIELDS[path].ui.label for path in changed],
                "This run": [text.markdown(format_value(ours)) for ours, _ in changed.values()],
                "Default": [text.markdown(format_value(theirs)) for _, theirs in changed.values()],
            },
            hide_index=True,
        )
    else:
        st.caption("Nothing.")
    with st.expander("All of it, as a file for the terminal"):
        st.code(config.to_json(), language="json")


def _timeline(details: RunDetails) -> None:
    events = sorted(details.events, key=lambda event: event.id)
    if not events:
        st.caption("Nothing has happened yet.")
        return
    st.dataframe(
        {
            "Time": [datetime.fromtimestamp(event.at).astimezone() for event in events],
            "What": [event.kind for event in events],
            "Cause": [event.message for event in events],
        },
        column_config={"Time": st.column_config.DatetimeColumn(format="D MMM, HH:mm:ss")},
        hide_index=True,
        alt="What happened to this run",
    )
