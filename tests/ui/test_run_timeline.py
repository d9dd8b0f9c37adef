from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

from marsseg.store.records import EventRecord
from marsseg.ui.run_timeline import timeline_items

NOON = datetime(2026, 3, 1, 12).astimezone().timestamp()


def items(*story: tuple[float, str], now: float = 10_000, launches: int = 1):
    """A story of (seconds after noon, kind), told newest first as the store does."""
    events = [EventRecord(n, NOON + at, kind, f"because {n}", "r-1") for n, (at, kind) in enumerate(story)]
    return timeline_items(SimpleNamespace(launches=launches), events[::-1], NOON + now)


def test_the_story_is_told_from_its_beginning():
    told = items((0, "queued"), (5, "starting"), (8, "running"), (128, "completed"))
    assert [item["kind"] for item in told] == ["Queued", "Starting", "Running", "Completed"]
    assert [item["cause"] for item in told] == ["because 0", "because 1", "because 2", "because 3"]
    assert told[2]["time"] == "12:00:08"
    assert told[3]["color"] == "green"


def test_each_state_says_how_long_it_lasted():
    told = items((0, "queued"), (5, "starting"), (8, "running"), (128, "lost"), (728, "queued"), now=738)
    assert [item["lasted"] for item in told] == [
        "waited 5.0 s",
        "started in 3.0 s",
        "ran for 2 min",
        "went on after 10 min",
        "for 10 s so far",
    ]


def test_what_changes_no_state_interrupts_none():
    told = items((0, "running"), (30, "noted"), (60, "completed"), (90, "tagged"))
    assert [item["lasted"] for item in told] == ["ran for 1 min", "", "", ""]
    assert [bool(item["icon"]) for item in told] == [True, False, True, False]


def test_a_clock_that_was_set_back_gives_no_negative_span():
    assert items((100, "queued"), (40, "starting"), now=0)[0]["lasted"] == "waited under 0.1 s"


def test_attempts_are_counted_also_when_the_beginning_is_not_told():
    whole = items((0, "starting"), (1, "lost"), (2, "queued"), (3, "starting"), launches=2)
    assert [item["attempt"] for item in whole] == [1, 0, 0, 2]
    assert items((3, "starting"), launches=7)[0]["attempt"] == 7


def test_a_day_is_named_where_it_begins():
    day = 24 * 3600
    told = items((0, "queued"), (10, "starting"), (day, "running"), (day + 1, "completed"))
    assert [item["day"] for item in told] == ["Sun 1 Mar 2026", "", "Mon 2 Mar 2026", ""]
