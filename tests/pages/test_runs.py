"""Runs: what is active, and what has ended, one by one or several at once."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord, RunStatus
from marsseg.ui import keys, run_table
from tests.pages.driver import (
    AWKWARD,
    REASON,
    button,
    charts,
    go_to,
    open_page,
    pick_row,
    press,
    press_of,
    read_as_markup,
    words,
)
from tests.support.labs import config, finish_run, queue_run, start_run


def table_ids(app: AppTest) -> list[str]:
    """Ids in the table of finished runs, from top to bottom; none where there is no table."""
    return app.dataframe[0].value["Id"].tolist() if app.dataframe else []


def press_for_all(app: AppTest, action: str) -> AppTest:
    """Press a button of the bar for several runs, or of the question that it opened."""
    return app.get_by_key(keys.runs_button(action)).click().run()


@pytest.fixture
def failed_of(scored: Lab) -> RunRecord:
    """A run that failed, the newest beside those that have scores."""
    run, token = start_run(scored, queue_run(scored, config(train__seed=3), "gone wrong").id)
    scored.store.finish(run.id, token, RunStatus.FAILED, REASON)
    return services.get_run(scored, run.id)


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


def test_stop_now_says_what_is_lost_and_may_follow_a_stop(lab: Lab, training: RunRecord) -> None:
    app = press_of(open_page("runs"), "stop", training)
    assert "no test score" in words(app)
    assert not services.get_run(lab, training.id).stop_now
    press_of(app, "stop_now", training)
    assert services.get_run(lab, training.id).stop_now
    assert app.get_by_key(keys.run_button("stop_now", training.id)).disabled
    assert "stopping at once" in app.progress[0].text


def test_a_stop_that_comes_too_late_is_said_in_a_sentence(lab: Lab, training: RunRecord) -> None:
    app = open_page("runs")
    assert training.token is not None
    lab.store.finish(training.id, training.token, RunStatus.COMPLETED, "8 epochs")
    press_of(app, "stop", training)
    assert not app.exception
    assert "nothing to stop" in app.error[0].value


def test_a_run_launched_again_says_so_in_small_print(lab: Lab) -> None:
    run, token = start_run(lab, queue_run(lab, config(), "once more").id)
    lab.store.mark_lost(run.id, token, "The machine was restarted.")
    lab.store.requeue(run.id)
    claimed = lab.store.claim_next(10, threads=2, gpus=["GPU-0123456789"])
    assert claimed is not None
    assert "GPU 01234567 · 2 threads · attempt 2" in words(open_page("runs"))


def test_an_active_run_opens_from_its_card_though_another_is_chosen(
    lab: Lab, training: RunRecord, failed: RunRecord
) -> None:
    app = open_page("runs", run=failed.id)
    assert app.error
    press_of(app, "open", training)
    assert app.query_params["run"] == training.id
    assert "busy" in app.subheader[-1].value
    assert not app.error  # the failed run's reason has gone with its details


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


def test_folds_of_one_name_are_told_apart_wherever_runs_are_listed(lab: Lab) -> None:
    folds = [config(data__folds=3, data__fold=fold) for fold in range(3)]
    done = finish_run(lab, folds[2], name="k")
    start_run(lab, queue_run(lab, folds[1], "k").id)
    queue_run(lab, folds[0], "k")
    app = open_page("runs", run=done.id)
    said = words(app)
    assert all(said.count(f"seed 0 · fold {fold} of 0–2") == 1 for fold in (0, 1))
    assert f"id {done.id} · seed 0 · fold 2 of 0–2" in said
    assert app.dataframe[0].value["Fold"].tolist() == [2]
    (lab.settings.run_dir(done.id) / "model.onnx").write_bytes(b"a network")
    for page, picker in (("masks", keys.MASK_RUNS), ("segment", keys.SEGMENT_RUN)):
        (label,) = open_page(page).get_by_key(picker).options
        assert f"k · fold 2 of 0–2 ({done.id})" in label


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


def test_a_click_into_a_row_shows_that_run_alone(scored: Lab) -> None:
    app = pick_row(open_page("runs"), 0, 1)
    run_id = table_ids(app)[2]
    pick_row(app, 0, 1, cell=(2, "Name"))
    assert app.query_params["run"] == run_id
    assert "chosen" not in words(app)
    assert f"id {run_id}" in words(app)


def test_a_run_of_the_address_that_is_gone_is_said(scored: Lab) -> None:
    app = open_page("runs", run="r-nothing")
    assert not app.exception
    assert "does not exist any more" in words(app)
    assert len(app.dataframe) == 1


def test_the_chosen_runs_stay_chosen_when_another_one_ends(scored: Lab) -> None:
    app = pick_row(open_page("runs"), 1, 3)
    ids = table_ids(app)
    finish_run(scored, config(train__seed=9), epochs=1)
    app.run()
    assert len(table_ids(app)) == len(ids) + 1
    assert "**2** chosen" in words(app)
    press_for_all(app, "archive")
    assert {run.id for run in services.list_runs(scored, archived=True)} == {ids[1], ids[3]}


def test_masks_of_several_runs_are_one_press_away(scored: Lab) -> None:
    app = pick_row(open_page("runs"), 0, 2)
    first, _, second, _ = table_ids(app)
    press(app, "Compare masks")
    assert [title.value for title in app.title] == ["Masks"]
    assert app.query_params["runs"] == f"{first},{second}"


def test_masks_cannot_be_compared_where_a_run_has_none(scored: Lab, failed_of: RunRecord) -> None:
    app = pick_row(open_page("runs"), 0, 1)
    assert table_ids(app)[0] == failed_of.id
    assert button(app, "Compare masks").disabled


def test_several_runs_are_archived_and_come_back(scored: Lab) -> None:
    app = pick_row(open_page("runs"), 0, 1)
    ids = table_ids(app)
    press_for_all(app, "archive")
    assert table_ids(app) == ids[2:]
    app.get_by_key(keys.RUNS_ARCHIVED).set_value(True).run()
    assert table_ids(app) == ids
    assert app.dataframe[0].value["Status"][0] == "✓ completed · archived"
    press(pick_row(app, 0, 1), "Unarchive")
    assert not services.list_runs(scored, archived=True)


def test_tags_are_added_to_several_runs(scored: Lab) -> None:
    services.change_tags(scored, services.list_runs(scored)[0].id, add=["old"])
    app = pick_row(open_page("runs"), 0, 1)
    ids = table_ids(app)
    assert app.get_by_key(keys.runs_button("tag")).disabled
    app.get_by_key(keys.RUNS_NEW_TAGS).set_value(["old"]).run()
    press_for_all(app, "tag")
    assert [services.get_run(scored, run_id).tags for run_id in ids[:3]] == [("old",), ("old",), ()]
    assert app.get_by_key(keys.RUNS_NEW_TAGS).value == []


def test_deleting_several_runs_asks_and_names_what_goes(scored: Lab, failed_of: RunRecord) -> None:
    app = press_for_all(pick_row(open_page("runs"), 0, 1), "delete")
    said, ids = words(app), table_ids(app)
    for part in ("Delete 2 runs?", "gone wrong", *ids[:2], "scores of 1 run leave", "cannot be undone"):
        assert part in said
    assert not read_as_markup(app)
    press_for_all(app, "delete_for_good")
    assert table_ids(app) == ids[2:]
    assert services.find_run(scored, failed_of.id) is None
    assert not scored.settings.run_dir(ids[1]).exists()
    assert "Deleted 2 runs" in app.toast[0].value
    assert "chosen" not in words(app)


def test_a_question_that_is_declined_deletes_nothing(scored: Lab) -> None:
    app = press_for_all(pick_row(open_page("runs"), 0, 1), "delete")
    before = table_ids(app)
    assert not press_for_all(app, "keep").get("dialog")
    assert table_ids(app) == before
    assert "**2** chosen" in words(app)


def test_a_question_about_runs_that_are_gone_closes_by_itself(scored: Lab) -> None:
    app = press_for_all(pick_row(open_page("runs"), 0, 1), "delete")
    services.delete(scored, [table_ids(app)[0]])
    app.run()
    assert not app.exception
    assert not app.get("dialog")


def test_a_run_resumed_meanwhile_keeps_all_from_being_deleted(scored: Lab, failed_of: RunRecord) -> None:
    app = press_for_all(pick_row(open_page("runs"), 0, 1), "delete")
    services.resume(scored, failed_of.id)
    press_for_all(app, "delete_for_good")
    assert "cannot be deleted" in app.error[0].value
    assert len(services.list_runs(scored)) == 5


@pytest.mark.parametrize(
    ("key", "value", "names"),
    [
        (keys.RUNS_WORDS, "residual BATCH", ["+residual, batch 4"]),
        (keys.RUNS_WORDS, "nan step", ["gone wrong"]),
        (keys.RUNS_STATUS, ["failed", "lost"], ["gone wrong"]),
        (keys.RUNS_TAG, ["paper"], ["gone wrong"]),
        (keys.RUNS_WORDS, "nowhere", []),
    ],
)
def test_filters_narrow_the_table(
    scored: Lab, failed_of: RunRecord, key: str, value: object, names: list[str]
) -> None:
    services.change_tags(scored, failed_of.id, add=["paper", "nan"])
    app = open_page("runs")
    app.get_by_key(key).set_value(value).run()
    assert (app.dataframe[0].value["Name"].tolist() if app.dataframe else []) == names
    assert names or "No run passes these filters" in words(app)


def test_filters_in_the_address_are_taken_over(scored: Lab, failed_of: RunRecord) -> None:
    assert table_ids(open_page("runs", status="failed")) == [failed_of.id]
    assert failed_of.id not in table_ids(open_page("runs", words="residual"))


def test_only_the_newest_of_very_many_runs_are_drawn(scored: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = table_ids(open_page("runs"))
    monkeypatch.setattr(run_table, "MOST_ROWS", 3)
    app = open_page("runs")
    assert table_ids(app) == ids[:3]
    assert "newest 3 of 4" in words(app)


def test_runs_are_read_again_only_when_something_happened(
    scored: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(lab: Lab, **options: bool) -> list[RunRecord]:
        reads.append(services.store_version(lab))
        return reading(lab, **options)

    reads: list[int] = []
    reading = services.finished_runs
    monkeypatch.setattr(services, "finished_runs", read)
    app = open_page("runs")
    app.run()
    assert len(reads) == 1
    services.set_notes(scored, services.list_runs(scored)[0].id, "seen")
    app.run()
    assert len(reads) == 2
