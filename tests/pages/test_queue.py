"""Runs that wait: their order, their priorities, the pause, and a removal that is undone."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord, RunStatus
from marsseg.ui import keys, run_queue
from tests.pages.driver import labels, open_page, press, press_of, words
from tests.support.labs import config, finish_run, queue_run, start_run


def order(lab: Lab) -> list[str]:
    """Names of what waits, the next to start first."""
    return [run.name for run in services.queue(lab)]


def set_priority(app: AppTest, run: RunRecord, priority: int) -> AppTest:
    return app.get_by_key(keys.run_button("priority", run.id)).click(priority).run()


def test_the_queue_can_be_put_in_another_order(lab: Lab, queued: list[RunRecord]) -> None:
    first, second, third = queued
    app = open_page("runs")
    assert app.get_by_key(keys.run_button("up", first.id)).disabled
    assert app.get_by_key(keys.run_button("down", third.id)).disabled
    press_of(app, "down", first)
    assert [run.id for run in services.queue(lab)] == [second.id, first.id, third.id]
    press_of(app, "up", third)
    assert [run.id for run in services.queue(lab)] == [second.id, third.id, first.id]
    said = words(app)
    assert said.index("waits 11") < said.index("waits 12") < said.index("waits 10")


def test_a_waiting_run_can_be_removed(lab: Lab, queued: list[RunRecord]) -> None:
    app = press_of(open_page("runs"), "remove", queued[1])
    assert [run.id for run in services.queue(lab)] == [queued[0].id, queued[2].id]
    assert services.get_run(lab, queued[1].id).status is RunStatus.STOPPED
    assert not app.exception


def test_a_run_started_meanwhile_is_not_removed_but_stopped(lab: Lab, queued: list[RunRecord]) -> None:
    app = open_page("runs")
    run, _ = start_run(lab, queued[0].id)
    press_of(app, "remove", run)
    assert not app.exception
    assert services.get_run(lab, run.id).status is RunStatus.STOPPING


def test_a_run_is_moved_to_the_front(lab: Lab, queued: list[RunRecord]) -> None:
    app = open_page("runs")
    assert app.get_by_key(keys.run_button("top", queued[0].id)).disabled
    press_of(app, "top", queued[2])
    assert order(lab) == ["waits 12", "waits 10", "waits 11"]


def test_a_higher_priority_starts_first_and_others_are_shown_as_they_are(
    lab: Lab, queued: list[RunRecord]
) -> None:
    services.set_priority(lab, queued[2].id, 7)
    app = open_page("runs")
    assert [menu.label for menu in app.menu_button] == ["Priority 7", "Normal priority", "Normal priority"]
    set_priority(app, queued[1], 1)
    assert order(lab) == ["waits 12", "waits 11", "waits 10"]
    set_priority(app, queued[2], -1)
    assert order(lab) == ["waits 11", "waits 10", "waits 12"]
    assert [menu.label for menu in app.menu_button] == ["High priority", "Normal priority", "Low priority"]


def test_a_priority_given_too_late_is_refused_in_a_sentence(lab: Lab, queued: list[RunRecord]) -> None:
    app = open_page("runs")
    start_run(lab, queued[0].id)
    set_priority(app, queued[0], 1)
    assert not app.exception
    assert "is not waiting in the queue" in app.error[0].value


def test_a_removed_run_can_be_put_back(lab: Lab, queued: list[RunRecord], woken: list[str]) -> None:
    app = press_of(open_page("runs"), "remove", queued[0])
    assert "Removed **waits 10**" in words(app)
    press(app, "Undo")
    assert order(lab) == ["waits 11", "waits 12", "waits 10"]
    assert "Removed" not in words(app)
    assert woken


def test_the_offer_to_put_it_back_can_be_dismissed(lab: Lab, queued: list[RunRecord]) -> None:
    app = press(press_of(open_page("runs"), "remove", queued[0]), "Dismiss")
    assert "Undo" not in labels(app)
    assert order(lab) == ["waits 11", "waits 12"]


def test_a_pause_is_said_aloud_and_ends_with_a_press(lab: Lab, queued: list[RunRecord]) -> None:
    app = press(open_page("runs"), "Pause queue")
    assert services.activity(lab).paused
    assert "The queue is paused: nothing more starts." in words(app)
    assert "Queue paused" in app.sidebar.caption[1].value
    assert lab.store.claim_next(10) is None
    press(app, "Continue queue")
    assert not services.activity(lab).paused
    assert "paused" not in words(app)


def test_a_pause_is_said_even_where_nothing_waits(lab: Lab) -> None:
    finish_run(lab, config(), epochs=1)
    services.pause_queue(lab)
    assert "The queue is paused" in words(open_page("runs"))


def test_the_queue_says_what_it_waits_for(lab: Lab, training: RunRecord) -> None:
    queue_run(lab, config(train__seed=5), "next")
    said = words(open_page("runs"))
    assert "the only slot is taken by “busy" in said
    assert "About 4 min until a slot is free" in said


def test_a_queue_with_a_free_slot_starts_in_a_moment(queued: list[RunRecord]) -> None:
    assert "starts in a moment" in words(open_page("runs"))


def test_a_long_queue_keeps_its_end_folded_away(lab: Lab) -> None:
    runs = [queue_run(lab, config(train__seed=seed), f"waits {seed}") for seed in range(run_queue.ROWS + 3)]
    app = open_page("runs")
    assert len(app.menu_button) == run_queue.ROWS
    app.session_state[keys.QUEUE_MORE] = True
    press_of(app.run(), "top", runs[-1])
    assert order(lab)[0] == runs[-1].name
