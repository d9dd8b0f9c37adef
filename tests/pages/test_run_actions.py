"""What people do to runs on their page: the queue, several at once, extending, cloning, notes and tags."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord, RunStatus
from marsseg.ui import keys, run_log
from tests.pages.driver import AWKWARD, labels, open_page, press, read_as_markup, words
from tests.support.labs import config, queue_run, start_run
from tests.support.memory import PeakMemory


@pytest.fixture
def queued(lab: Lab) -> list[RunRecord]:
    return [queue_run(lab, config(train__seed=seed), f"waits {seed}") for seed in (10, 11, 12)]


@pytest.fixture
def done(scored: Lab) -> RunRecord:
    """The newest completed run; it has the awkward name."""
    return services.list_runs(scored)[0]


def press_of(app: AppTest, action: str, run: RunRecord) -> AppTest:
    return app.get_by_key(keys.run_button(action, run.id)).click().run()


def pick_rows(app: AppTest, rows: Sequence[int]) -> AppTest:
    """Tick the boxes of some rows of the table."""
    states = app._tree.get_widget_states()
    selection = json.dumps({"selection": {"rows": list(rows), "columns": [], "cells": []}})
    states.widgets.append(WidgetState(id=app.dataframe[0].proto.id, string_value=selection))
    return app._run(states)


def ids_shown(app: AppTest) -> list[str]:
    return app.dataframe[0].value["Id"].tolist()


def test_the_queue_is_paused_with_a_word_and_goes_on(lab: Lab, queued: list[RunRecord]) -> None:
    app = press(open_page("runs"), "Pause queue")
    assert services.activity(lab).paused
    assert "The queue is paused" in words(app)
    assert "Queue paused" in words(app)
    press(app, "Continue queue")
    assert not services.activity(lab).paused
    assert "paused" not in words(app)


def test_a_run_can_be_put_to_the_front(lab: Lab, queued: list[RunRecord]) -> None:
    press_of(open_page("runs"), "top", queued[2])
    assert [run.id for run in services.queue(lab)] == [queued[2].id, queued[0].id, queued[1].id]


def test_a_removed_run_can_be_put_back(lab: Lab, queued: list[RunRecord]) -> None:
    app = press_of(open_page("runs"), "remove", queued[0])
    assert "Removed **waits 10**" in words(app)
    press_of(app, "restore", queued[0])
    assert [run.id for run in services.queue(lab)] == [queued[1].id, queued[2].id, queued[0].id]
    assert "Removed" not in words(app)


def test_a_running_run_is_stopped_now_without_a_score(lab: Lab, queued: list[RunRecord]) -> None:
    start_run(lab, queued[0].id)
    press_of(open_page("runs"), "stop_now", queued[0])
    run = services.get_run(lab, queued[0].id)
    assert (run.status, run.stop_now) == (RunStatus.STOPPING, True)


def test_several_runs_are_archived_and_brought_back(scored: Lab) -> None:
    app = open_page("runs")
    first, second = ids_shown(app)[:2]
    pick_rows(app, [0, 1])
    assert "**2 runs** chosen" in words(app)
    app.get_by_key(keys.runs_button("archive")).click().run()
    assert not {first, second} & set(ids_shown(app))
    assert {run.id for run in services.list_runs(scored, archived=True)} == {first, second}

    app.toggle(key=keys.RUNS_ARCHIVED).set_value(True).run()
    pick_rows(app, [ids_shown(app).index(first), ids_shown(app).index(second)])
    app.get_by_key(keys.runs_button("archive")).click().run()
    assert services.list_runs(scored, archived=True) == []


def test_several_runs_get_a_tag_by_which_they_are_found(scored: Lab) -> None:
    app = open_page("runs")
    chosen = ids_shown(app)[1:3]
    pick_rows(app, [1, 2])
    app.get_by_key(keys.RUNS_NEW_TAGS).set_value(["paper"]).run()
    app.get_by_key(keys.runs_button("tag")).click().run()
    assert all(services.get_run(scored, run_id).tags == ("paper",) for run_id in chosen)

    found = open_page("runs", tag="paper")
    assert ids_shown(found) == chosen


def test_several_runs_are_deleted_after_a_question_that_counts_them(scored: Lab) -> None:
    app = open_page("runs")
    chosen = ids_shown(app)[:2]
    pick_rows(app, [0, 1])
    app.get_by_key(keys.runs_button("delete")).click().run()
    assert "The scores of 2 runs leave the leaderboard" in words(app)
    press(app, "Delete 2 runs")
    assert not set(chosen) & {run.id for run in services.list_runs(scored)}


def test_filters_find_by_word_and_status_and_say_when_nothing_fits(scored: Lab) -> None:
    run, token = start_run(scored, queue_run(scored, config(train__seed=3), "gone wrong").id)
    scored.store.finish(run.id, token, RunStatus.FAILED, "disk full")
    assert ids_shown(open_page("runs", words="DISK gone")) == [run.id]
    app = open_page("runs")
    app.get_by_key(keys.RUNS_STATUS).set_value(["failed"]).run()
    assert ids_shown(app) == [run.id]
    nothing = open_page("runs", words="nowhere to be found")
    assert "No run passes these filters" in words(nothing)
    assert not nothing.exception


def test_extending_says_what_it_means_and_queues(scored: Lab, done: RunRecord) -> None:
    checkpoint = scored.settings.run_dir(done.id) / "checkpoints"
    app = open_page("runs", run=done.id)
    assert "Goes on from epoch 3, to 13 in all" in words(app)
    press(app, "Train 10 more")
    assert "no checkpoint" in app.toast[0].value  # refused in a sentence: this run never had one
    assert services.get_run(scored, done.id).status is RunStatus.COMPLETED
    assert not checkpoint.exists()


def test_a_clone_fills_the_form_of_a_new_run(scored: Lab, done: RunRecord) -> None:
    app = press(open_page("runs", run=done.id), "Clone and edit")
    assert not app.exception
    assert [title.value for title in app.title] == ["New run"]
    assert app.get_by_key(keys.field("train", "model.squeeze_excite")).value is True
    assert "As in" in words(app)


def test_one_run_is_archived_and_says_so(scored: Lab, done: RunRecord) -> None:
    app = press(open_page("runs", run=done.id), "Archive")
    assert services.get_run(scored, done.id).archived
    assert "Archived" in words(app)
    assert "Unarchive" in labels(app)
    assert done.id not in ids_shown(app)


def test_notes_and_tags_are_kept_and_cannot_act(scored: Lab, done: RunRecord) -> None:
    app = open_page("runs", run=done.id)
    app.get_by_key(keys.run_button("notes", done.id)).set_value(
        "**Rock** at last.\n![x](http://e/x.png)"
    ).run()
    app.get_by_key(keys.run_button("tags", done.id)).set_value(["rock", AWKWARD]).run()
    run = services.get_run(scored, done.id)
    assert run.notes.startswith("**Rock** at last.")
    assert set(run.tags) == {"rock", AWKWARD}
    said = words(app)
    assert "**Rock** at last." in said
    assert "![" not in said  # a picture would be fetched from wherever it lies
    assert not [text for text in read_as_markup(app) if "Rock" not in text]


def test_a_tag_that_is_no_tag_is_refused_in_a_sentence(scored: Lab, done: RunRecord) -> None:
    app = open_page("runs", run=done.id)
    app.get_by_key(keys.run_button("tags", done.id)).set_value(["a,b"]).run()
    assert not app.exception
    assert "without a comma" in app.toast[0].value
    assert services.get_run(scored, done.id).tags == ()


def test_a_log_of_a_gibibyte_is_shown_and_searched_from_its_end(scored: Lab, done: RunRecord) -> None:
    with services.log_path(scored, done.id).open("wb") as log:
        log.seek(1024**3)
        log.write(b"\n" + b"".join(b"line %d\n" % number for number in range(1000)))
    app = open_page("runs", run=done.id)
    peak = PeakMemory()
    app.get_by_key(keys.RUN_VIEW).set_value("Log").run()
    assert app.code[0].value.splitlines()[-1] == "line 999"
    assert "1.1 GB" in words(app)
    app.get_by_key(keys.LOG_SEARCH).set_value("line 99").run()
    assert app.code[0].value.splitlines()[-1] == "line 999"
    assert "Searched the last 2.0 MB" in words(app)
    assert "Download its last 20" in app.download_button[0].label
    assert peak.mebibytes() < 20 * run_log.SEARCHED_BYTES / 1e6
