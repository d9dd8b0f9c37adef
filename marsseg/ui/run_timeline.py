"""What happened to a run, from top to bottom: when, what, why, and how long it stayed so."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.ui import formats, keys
from marsseg.ui.run_cards import STATUS_MARKS

if TYPE_CHECKING:
    from marsseg.store.records import EventRecord, RunRecord

_ASSETS = Path(__file__).parent / "assets"
_LASTED = {
    "queued": "waited",
    "starting": "started in",
    "running": "ran for",
    "stopping": "took",
    "completed": "went on after",
    "stopped": "went on after",
    "failed": "went on after",
    "lost": "went on after",
}
"""What is said of a state that lasted so long."""
_ENDED = frozenset({"completed", "stopped", "failed", "lost"})


def render_timeline(run: RunRecord, events: Sequence[EventRecord]) -> None:
    """Draw the events of a run, oldest first."""
    if not events:
        st.caption("Nothing has happened yet.")
        return
    _component()(
        data={"items": timeline_items(run, events, time.time())}, key=keys.run_chart("timeline", run.id)
    )


def timeline_items(run: RunRecord, events: Sequence[EventRecord], now: float) -> list[dict[str, Any]]:
    """The events as the timeline shows them, oldest first.

    Each has `day` (empty where it is that of the one before), `time`, `kind`, `cause`, `color`, `icon`
    (empty for what changed no state), `lasted`, and `attempt` (0 where none begins).
    """
    events = sorted(events, key=lambda event: event.id)
    items: list[dict[str, Any]] = []
    day, attempt = "", _attempts_before(run, events)
    for event, lasted in zip(events, _spans(events, now), strict=True):
        at = datetime.fromtimestamp(event.at).astimezone()
        today = f"{at:%a} {at.day} {at:%b %Y}"
        attempt += event.kind == "starting"
        items.append(
            {
                "day": "" if today == day else today,
                "time": f"{at:%H:%M:%S}",
                "kind": event.kind.capitalize(),
                "cause": event.message,
                **_look(event.kind),
                "lasted": lasted,
                "attempt": attempt if event.kind == "starting" else 0,
            }
        )
        day = today
    return items


def _attempts_before(run: RunRecord, events: Sequence[EventRecord]) -> int:
    """Attempts that began before the first of these events; a long story is told from its middle."""
    return max(0, run.launches - sum(event.kind == "starting" for event in events))


def _spans(events: Sequence[EventRecord], now: float) -> list[str]:
    """How long each state lasted, in words; empty for what is no state, and for the end of the story."""
    spans = []
    for place, event in enumerate(events):
        after = next((later.at for later in events[place + 1 :] if later.kind in _LASTED), None)
        if event.kind not in _LASTED or (after is None and event.kind in _ENDED):
            spans.append("")
        elif after is None:
            spans.append(f"for {formats.duration(max(0.0, now - event.at))} so far")
        else:
            spans.append(f"{_LASTED[event.kind]} {formats.duration(max(0.0, after - event.at))}")
    return spans


def _look(kind: str) -> dict[str, str]:
    color, icon = STATUS_MARKS.get(kind, ("gray", ""))
    return {"color": color, "icon": icon}


@cache
def _component() -> Any:
    return st.components.v2.component(
        "marsseg_timeline",
        html='<ol class="timeline" aria-label="What happened to this run"></ol>',
        css=(_ASSETS / "timeline.css").read_text("utf-8"),
        js=(_ASSETS / "timeline.js").read_text("utf-8"),
    )
