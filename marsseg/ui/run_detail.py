"""One run: curves, masks over epochs, confusion matrix, log, configuration, timeline, provenance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from marsseg.classes import BACKGROUND
from marsseg.config import RunConfig
from marsseg.config.describe import FIELDS, format_value
from marsseg.ui import charts, formats, keys, run_confusion, run_masks, text
from marsseg.ui.run_log import render_log
from marsseg.ui.run_provenance import render_provenance
from marsseg.ui.run_timeline import render_timeline

if TYPE_CHECKING:
    from marsseg.services import Origin, Previews, Reproduction, RunDetails

_TRAINED = ("Curves", "Masks over epochs", "Confusion")
_COMBINED = ("Made of", "Confusion")
_ANY = ("Log", "Configuration", "Timeline", "Provenance")
_NAME_LETTERS = 70


@dataclass(frozen=True, slots=True)
class Readers:
    """What a view may have to read beside the run itself, and reads only when it is on show."""

    previews: Callable[[], Previews | None]
    confusion: run_confusion.Read
    log_size: Callable[[], int]
    log: Callable[..., str]
    origin: Callable[[], Origin]
    reproduction: Callable[[], Reproduction]


def render_detail(details: RunDetails, score: float | None, readers: Readers) -> None:
    """Draw the chosen view; only that one is read and sent."""
    run = details.run
    views = (*_COMBINED, *_ANY) if run.config.combine.is_on else (*_TRAINED, *_ANY)
    if st.session_state.get(keys.RUN_VIEW) not in views:
        st.session_state[keys.RUN_VIEW] = views[0]
    view = st.segmented_control(
        "View", views, key=keys.RUN_VIEW, required=True, persist_state="session",
        label_visibility="collapsed",
    )  # fmt: skip
    if view == "Made of":
        _combination(details, score)
    elif view == "Curves":
        _curves(details, score)
    elif view == "Masks over epochs":
        run_masks.render_previews(readers.previews(), keys.run_chart("masks", run.id), run.best_epoch)
    elif view == "Confusion":
        run_confusion.render_confusion(run.id, run.config, readers.confusion)
    elif view == "Log":
        render_log(readers.log_size(), readers.log)
    elif view == "Configuration":
        _configuration(run.config, readers.origin())
    elif view == "Timeline":
        render_timeline(run, details.events)
    else:
        render_provenance(run, readers.reproduction())


def _curves(details: RunDetails, score: float | None) -> None:
    epochs = details.epochs
    if not epochs:
        st.caption("Curves appear after the first epoch.")
        return
    numbers = [epoch.epoch for epoch in epochs]
    run_id = details.run.id
    grid = st.grid(2, min_column_width=380, gap="medium")
    with grid.cell():
        _iou(details)
        _facts(details, score)
    with grid.cell():
        st.markdown("**Loss**")
        losses = charts.loss_chart(numbers, [e.loss for e in epochs], [e.val_loss for e in epochs])
        charts.render_curve(losses, keys.run_chart("loss", run_id))
        if details.run.config.model.deep_supervision:
            st.caption("Training: all outputs of deep supervision. Validation: the finished one alone.")
        st.markdown("**Learning rate**")
        rates = charts.learning_rate_chart(numbers, [e.learning_rate for e in epochs])
        charts.render_curve(rates, keys.run_chart("rate", run_id))


def _iou(details: RunDetails) -> None:
    run, epochs = details.run, details.epochs
    numbers, per_class = [e.epoch for e in epochs], [e.val_class_iou for e in epochs]
    if run.config.data.tells_terrain:
        st.markdown("**Validation IoU by class**")
        means = [e.val_terrain_miou for e in epochs]
        chart = charts.iou_chart(numbers, per_class, means, best_epoch=run.best_epoch)
    else:
        st.markdown("**Validation IoU of background**")
        background = [values[BACKGROUND.index] for values in per_class]
        chart = charts.background_iou_chart(numbers, background, best_epoch=run.best_epoch)
    charts.render_curve(chart, keys.run_chart("iou", run.id))


def _combination(details: RunDetails, score: float | None) -> None:
    """What a run that trained nothing is made of."""
    for run_id, member in details.members.items():
        if member is None:
            st.markdown(f":gray[:material/delete: {run_id}, deleted]")
            continue
        name = text.markdown(text.shorten(member.name, _NAME_LETTERS))
        st.page_link(
            "pages/runs.py", label=f"{name} ({run_id})", icon=":material/timeline:",
            query_params={keys.RUN: run_id},
        )  # fmt: skip
    with st.container(horizontal=True, gap="medium"):
        _test_score(score)
        st.metric("Parameters", formats.compact(details.run.parameters), width="content")
    if details.caveat:
        st.caption(details.caveat)


def _facts(details: RunDetails, score: float | None) -> None:
    run, epochs = details.run, details.epochs
    terrain = run.config.data.tells_terrain
    scores = {e.epoch: e.val_terrain_miou if terrain else e.val_class_iou[BACKGROUND.index] for e in epochs}
    best = max(scores, key=lambda epoch: scores[epoch] if formats.is_known(scores[epoch]) else -1.0)
    after = f"After epoch {best}."
    with st.container(horizontal=True, gap="medium"):
        if terrain:
            _test_score(score)
        st.metric("Best validation", formats.score(scores[best]), help=after, width="content")
        st.metric("Parameters", formats.compact(run.parameters), width="content")
        seconds = sum(epoch.seconds for epoch in epochs)
        st.metric("Training time", formats.duration(seconds), width="content")
    if details.caveat:
        st.caption(details.caveat)


def _test_score(score: float | None) -> None:
    if score is not None:
        hint = "Terrain lens, terrain-only decoding."
        st.metric("Test mean IoU", formats.score(score), help=hint, width="content")


def _configuration(config: RunConfig, origin: Origin) -> None:
    """What was changed in the preset that it is most like, and the whole as a file."""
    changed, title = origin.changes, text.markdown(origin.preset.title)
    st.markdown(f"**What differs from the preset {title}**")
    if changed:
        st.table(
            {
                "Field": [FIELDS[path].ui.label for path in changed],
                "This run": [text.markdown(format_value(ours)) for ours, _ in changed.values()],
                title: [text.markdown(format_value(theirs)) for _, theirs in changed.values()],
            },
            hide_index=True,
        )
    else:
        st.caption("Nothing but what a preset leaves open: dataset, seed and fold.")
    with st.expander("All of it, as a file for the terminal"):
        st.code(config.to_json(), language="json")
