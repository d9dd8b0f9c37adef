"""Runs: what is active, what waits, what has ended, and one run in detail."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import Phase, Progress, RunRecord, RunStatus
from marsseg.ui import keys
from tests.pages.driver import (
    AWKWARD,
    charts,
    go_to,
    labels,
    open_page,
    pick_row,
    press,
    read_as_markup,
    viewers,
    words,
)
from tests.support.labs import config, queue_run, start_run

REASON = "Loss became NaN in epoch 3, step 41; the last finite weights are kept."


def press_of(app: AppTest, action: str, run: RunRecord) -> AppTest:
    """Press the button that does something to one run."""
    return app.get_by_key(keys.run_button(action, run.id)).click().run()


def reasons(app: AppTest) -> list[str]:
    """Why runs on the page went wrong, as it stands out."""
    return [error.proto.title for error in app.error]


def view(app: AppTest, name: str) -> AppTest:
    return app.get_by_key(keys.RUN_VIEW).set_value(name).run()


@pytest.fixture
def training(lab: Lab) -> RunRecord:
    """An active run in its third epoch of eight."""
    run, token = start_run(lab, queue_run(lab, config(), f"busy {AWKWARD}").id)
    lab.store.report_progress(run.id, token, Progress(Phase.TRAINING, 3, 8, 5, 10, 41.5, 240.0))
    return services.get_run(lab, run.id)


@pytest.fixture
def failed(lab: Lab) -> RunRecord:
    run, token = start_run(lab, queue_run(lab, config(train__seed=3), "gone wrong").id)
    lab.store.finish(run.id, token, RunStatus.FAILED, REASON)
    return services.get_run(lab, run.id)


@pytest.fixture
def queued(lab: Lab) -> list[RunRecord]:
    return [queue_run(lab, config(train__seed=seed), f"waits {seed}") for seed in (10, 11, 12)]


def test_an_active_run_has_a_card_that_says_how_far_it_is(training: RunRecord) -> None:
    app = open_page("runs")
    assert not app.exception
    assert app.progress[0].text == "epoch 3/8, step 5/10"
    assert app.progress[0].value == 31  # 2.5 of 8 epochs
    said = words(app)
    for fact in ("42 images/s", "about 4 min left", "Running", training.id):
        assert fact in said
    assert not read_as_markup(app)


def test_stop_asks_the_worker_and_cannot_be_pressed_twice(lab: Lab, training: RunRecord) -> None:
    app = press_of(open_page("runs"), "stop", training)
    assert services.get_run(lab, training.id).status is RunStatus.STOPPING
    assert app.get_by_key(keys.run_button("stop", training.id)).disabled
    assert "Stopping" in words(app)


def test_an_active_run_opens_from_its_card_though_another_is_chosen(
    lab: Lab, training: RunRecord, failed: RunRecord
) -> None:
    app = open_page("runs", run=failed.id)
    assert app.error
    press_of(app, "open", training)
    assert app.query_params["run"] == training.id
    assert "busy" in app.subheader[-1].value
    assert not app.error  # the failed run's reason has gone with its details


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


def test_finished_runs_stand_in_a_table_with_score_and_reason(scored: Lab) -> None:
    run, token = start_run(scored, queue_run(scored, config(train__seed=3), "gone wrong").id)
    scored.store.finish(run.id, token, RunStatus.FAILED, REASON)
    table = open_page("runs").dataframe[0].value
    assert table["Name"].tolist() == ["gone wrong", AWKWARD, "+residual, batch 4", "plain", "plain"]
    assert table["Status"].tolist()[:2] == ["✕ failed", "✓ completed"]
    assert table["Reason"][0] == REASON
    scores = services.score_by_run(scored)
    assert table["Test mean IoU"].tolist()[1:] == [scores[run_id] for run_id in table["Id"][1:]]
    assert table["Test mean IoU"].isna().tolist()[0]


def test_a_row_that_is_picked_opens_the_run_and_stands_in_the_address(scored: Lab) -> None:
    app = open_page("runs")
    assert len(app.subheader) == 1
    pick_row(app, 2)
    run_id = app.dataframe[0].value["Id"][2]
    assert app.query_params["run"] == run_id
    assert f"id {run_id}" in words(app)
    assert charts(app) == 3
    pick_row(app, 0)
    assert app.query_params["run"] == app.dataframe[0].value["Id"][0]
    pick_row(app, 2)
    go_to(app, "data")
    go_to(app, "runs")
    assert f"id {run_id}" in words(app)


def test_a_run_of_the_address_that_is_gone_is_said(scored: Lab) -> None:
    app = open_page("runs", run="r-nothing")
    assert not app.exception
    assert "does not exist any more" in words(app)
    assert len(app.dataframe) == 1


def test_each_view_of_a_run(scored: Lab) -> None:
    run = services.list_runs(scored)[0]
    app = open_page("runs", run=run.id)
    assert charts(app) == 3
    view(app, "Masks over epochs")
    assert viewers(app)[0]["timeline"]["labels"] == [0, 1, 2, 3]
    assert charts(app) == 0
    view(app, "Log")
    assert "last words" in app.code[0].value
    app.get_by_key(keys.LOG_SEARCH).set_value("EPOCH 2").run()
    assert app.code[0].value == "epoch 2/3"
    assert [element.label for element in app.download_button] == ["Download the log (31 B)"]
    view(app, "Configuration")
    assert "Squeeze-and-Excitation" in app.table[0].value["Field"].tolist()
    assert '"squeeze_excite": true' in app.code[0].value
    view(app, "Timeline")
    kinds = [item["kind"] for item in viewers(app)[0]["items"]]
    assert kinds[:3] == ["Queued", "Starting", "Running"]
    assert kinds[-1] == "Completed"
    view(app, "Provenance")
    assert app.code[0].value == services.reproduce(scored, run.id).command
    assert not app.exception
    assert not read_as_markup(app)


def test_views_of_a_run_that_has_nothing_yet(failed: RunRecord) -> None:
    app = open_page("runs", run=failed.id)
    assert "Curves appear after the first epoch" in words(app)
    for name, says in (
        ("Masks over epochs", "as soon as training begins"),
        ("Log", "Nothing has been logged"),
    ):
        assert says in words(view(app, name))
    assert not app.exception


def test_a_failed_run_says_why_and_can_be_resumed(lab: Lab, failed: RunRecord, woken: list[str]) -> None:
    app = open_page("runs", run=failed.id)
    assert reasons(app) == [REASON]
    assert "lower learning rate" in app.error[0].value
    press(app, "Resume")
    assert services.get_run(lab, failed.id).status is RunStatus.QUEUED
    assert set(woken) == {str(lab.settings.home)}
    assert "Queued again" in app.toast[0].value
    assert not app.error


def test_a_completed_run_is_not_offered_to_be_resumed(scored: Lab) -> None:
    app = open_page("runs", run=services.list_runs(scored)[0].id)
    assert "Resume" not in labels(app)


def test_a_resume_that_comes_too_late_is_said_in_a_sentence(lab: Lab, failed: RunRecord) -> None:
    app = open_page("runs", run=failed.id)
    services.resume(lab, failed.id)
    press(app, "Resume")
    assert not app.exception
    assert failed.id in app.toast[0].value


def test_delete_says_what_goes_and_then_deletes(scored: Lab) -> None:
    run = services.list_runs(scored)[0]
    app = press(open_page("runs", run=run.id), "Delete …")
    said = words(app)
    assert "Its scores leave the leaderboard" in said
    assert f"{services.plan_deletion(scored, [run.id]).files} files" in said
    assert services.find_run(scored, run.id)
    press(app, "Delete 1 run")
    assert services.find_run(scored, run.id) is None
    assert not scored.settings.run_dir(run.id).exists()
    assert f"Deleted {run.id}" in app.toast[0].value
    assert "run" not in app.query_params
    assert run.id not in app.dataframe[0].value["Id"].tolist()
    assert "Delete 1 run" not in labels(app)


def test_a_deletion_that_is_thought_over_deletes_nothing(scored: Lab) -> None:
    run = services.list_runs(scored)[0]
    app = press(open_page("runs", run=run.id), "Delete …")
    press(app, "Keep")
    assert "Delete 1 run" not in labels(app)
    assert services.find_run(scored, run.id)


def test_a_new_name_is_kept(scored: Lab) -> None:
    run = services.list_runs(scored)[0]
    app = open_page("runs", run=run.id)
    app.get_by_key(keys.run_button("name", run.id)).set_value(f"  {AWKWARD} again ").run()
    assert services.get_run(scored, run.id).name == f"{AWKWARD} again"
    assert app.dataframe[0].value["Name"][0] == f"{AWKWARD} again"
    assert not read_as_markup(app)


def test_a_run_that_was_watched_stays_on_show_when_it_ends(lab: Lab) -> None:
    run, token = start_run(lab, queue_run(lab, config(), "watched").id)
    app = open_page("runs")
    lab.store.finish(run.id, token, RunStatus.FAILED, REASON)
    app.run()
    assert reasons(app) == [REASON]
    assert app.query_params["run"] == run.id
