"""One run on show: its views, and what can be done with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord, RunStatus
from marsseg.ui import keys, run_log
from tests.pages.driver import (
    AWKWARD,
    REASON,
    button,
    charts,
    labels,
    open_page,
    press,
    press_of,
    read_as_markup,
    viewers,
    words,
)
from tests.support.labs import config, epoch_record, finish_run, queue_run, start_run
from tests.support.memory import PeakMemory


def view(app: AppTest, name: str) -> AppTest:
    return app.get_by_key(keys.RUN_VIEW).set_value(name).run()


def type_in(app: AppTest, field: str, run: RunRecord, value: object) -> AppTest:
    """Change what is said about a run."""
    return app.get_by_key(keys.run_button(field, run.id)).set_value(value).run()


def write_log(lab: Lab, run: RunRecord, content: str) -> None:
    folder = lab.settings.run_dir(run.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").write_text(content, encoding="utf-8")


def with_checkpoint(lab: Lab, run_config: Any, epochs: int) -> RunRecord:
    """A completed run whose last epoch names a checkpoint that is there."""
    run, token = start_run(lab, queue_run(lab, run_config, "can go on").id)
    folder = lab.settings.run_dir(run.id) / "checkpoints"
    folder.mkdir(parents=True)
    np.savez(folder / "last.npz", weights=np.zeros(3))
    for epoch in range(1, epochs + 1):
        lab.store.add_epoch(run.id, token, epoch_record(epoch, checkpoint="last.npz"))
    lab.store.finish(run.id, token, RunStatus.COMPLETED, f"{epochs} epochs", best_epoch=epochs)
    return services.get_run(lab, run.id)


@pytest.fixture
def done(scored: Lab) -> RunRecord:
    """The newest of the runs with scores; it has a log, a network and an awkward name."""
    return services.list_runs(scored)[0]


def test_each_view_of_a_run(scored: Lab, done: RunRecord) -> None:
    app = open_page("runs", run=done.id)
    assert charts(app) == 3
    assert f"{services.score_by_run(scored)[done.id]:.3f}" in [metric.value for metric in app.metric]
    view(app, "Masks over epochs")
    assert viewers(app)[0]["timeline"]["labels"] == [0, 1, 2, 3]
    assert charts(app) == 0
    view(app, "Confusion")
    assert charts(app) == 1
    view(app, "Log")
    assert "last words" in app.code[0].value
    view(app, "Configuration")
    assert "Squeeze-and-Excitation" in app.table[0].value["Field"].tolist()
    assert '"squeeze_excite": true' in app.code[0].value
    view(app, "Timeline")
    assert [item["kind"] for item in viewers(app)[0]["items"]][:3] == ["Queued", "Starting", "Running"]
    assert viewers(app)[0]["items"][-1]["kind"] == "Completed"
    view(app, "Provenance")
    assert "--set model.squeeze_excite=true" in app.code[0].value
    assert not app.exception
    assert not read_as_markup(app)


def test_views_of_a_run_that_has_nothing_yet(failed: RunRecord) -> None:
    app = open_page("runs", run=failed.id)
    assert "Curves appear after the first epoch" in words(app)
    for name, says in (
        ("Masks over epochs", "as soon as training begins"),
        ("Log", "Nothing has been logged"),
        ("Provenance", "are recorded when its worker begins"),
    ):
        assert says in words(view(app, name))
    assert not app.exception


def test_a_search_says_how_much_of_the_log_it_searched(scored: Lab, done: RunRecord) -> None:
    app = view(open_page("runs", run=done.id), "Log")
    app.get_by_key(keys.LOG_SEARCH).set_value("EPOCH 2").run()
    assert app.code[0].value == "epoch 2/3"
    assert "1 line. Searched the whole log, 31 B." in words(app)
    write_log(scored, done, "needle\n" + "hay stack\n" * 250_000 + "another needle\n")
    app.get_by_key(keys.LOG_SEARCH).set_value("needle").run()
    assert app.code[0].value == "another needle"
    assert "1 line. Searched the last 2.0 MB of 2.5 MB." in words(app)


def test_a_log_of_a_gibibyte_is_shown_searched_and_offered_from_its_end(scored: Lab, done: RunRecord) -> None:
    with services.log_path(scored, done.id).open("wb") as log:
        log.seek(1024**3)
        log.write(b"\n" + b"".join(b"line %d\n" % number for number in range(1000)))
    app = open_page("runs", run=done.id)
    peak = PeakMemory()
    view(app, "Log")
    assert app.code[0].value.splitlines()[-1] == "line 999"
    assert "The last 30.0 kB of 1.1 GB" in words(app)
    assert [element.label for element in app.download_button] == ["Download its last 20.0 MB of 1.1 GB"]
    app.get_by_key(keys.LOG_SEARCH).set_value("line 99").run()
    assert app.code[0].value.splitlines()[-1] == "line 999"
    assert "Searched the last 2.0 MB" in words(app)
    assert peak.mebibytes() < 20 * run_log.SEARCHED_BYTES / 1e6


def test_provenance_names_code_machine_and_what_keeps_the_numbers_from_being_equal(lab: Lab) -> None:
    run, token = start_run(lab, queue_run(lab, config(train__deterministic=False), "made").id)
    known = {
        "git_commit": "0123456789abcdef",
        "git_dirty": True,
        "device": "Abacus 3000",
        "deterministic": False,
        "packages": {"keras": "3.15", "tf2onnx": None},
        "command": "python -m worker --file=[a](b)",
    }
    lab.store.record_facts(run.id, token, provenance=known)
    app = view(open_page("runs", run=run.id), "Provenance")
    assert app.code[0].value.startswith("git checkout 0123456789abcdef\npython -m marsseg train")
    facts = app.table[0].value.iloc[:, 0].to_dict()
    assert "0123456789ab, with changes" in facts["Code"]
    assert "Abacus 3000" in facts["Machine"]
    assert (facts["Packages"], facts["Deterministic"]) == ("keras 3.15", "no")
    assert "The code differed from its commit" in words(app)
    assert "Deterministic kernels were off" in words(app)
    assert not read_as_markup(app)


def test_a_failed_run_says_why_and_what_helps(lab: Lab, failed: RunRecord, woken: list[str]) -> None:
    app = open_page("runs", run=failed.id)
    assert [error.proto.title for error in app.error] == [REASON]
    assert "lower learning rate in a copy" in app.error[0].value
    assert button(app, "Clone and edit").proto.type == "primary"
    press(app, "Resume")
    assert services.get_run(lab, failed.id).status is RunStatus.QUEUED
    assert set(woken) == {str(lab.settings.home)}
    assert "Queued again" in app.toast[0].value
    assert not app.error


def test_a_lost_run_is_best_resumed(lab: Lab) -> None:
    run, token = start_run(lab, queue_run(lab, config(), "gone").id)
    lab.store.mark_lost(run.id, token, "The machine was restarted while the run was active.")
    app = open_page("runs", run=run.id)
    assert [element.label for element in app.button if element.proto.type == "primary"] == ["Resume"]


def test_a_completed_run_is_offered_to_be_extended_and_not_resumed(done: RunRecord) -> None:
    app = open_page("runs", run=done.id)
    assert "Resume" not in labels(app)
    assert not [element for element in app.button if element.proto.type == "primary"]
    assert "Train 10 more" in labels(app)


def test_a_resume_that_comes_too_late_is_said_in_a_sentence(lab: Lab, failed: RunRecord) -> None:
    app = open_page("runs", run=failed.id)
    services.resume(lab, failed.id)
    press(app, "Resume")
    assert not app.exception
    assert failed.id in app.error[0].value


def test_extending_says_what_it_means_and_queues_the_run_again(lab: Lab, woken: list[str]) -> None:
    run = with_checkpoint(lab, config(train__epochs=4), 4)
    app = type_in(open_page("runs", run=run.id), "epochs", run, 6)
    said = words(app)
    assert "Goes on from epoch 4, to 10 in all." in said
    assert "stopped early" not in said
    press(app, "Train 6 more")
    extended = services.get_run(lab, run.id)
    assert (extended.status, extended.config.train.epochs) == (RunStatus.QUEUED, 10)
    assert "6 more epochs" in app.toast[0].value
    assert woken


def test_extending_a_run_that_stopped_early_says_so(lab: Lab) -> None:
    run = with_checkpoint(lab, config(train__epochs=30), 4)
    assert "It stopped early, after 4 of 30 epochs" in words(open_page("runs", run=run.id))


def test_a_run_whose_checkpoint_is_gone_is_not_extended(lab: Lab) -> None:
    run = finish_run(lab, config())
    app = press(open_page("runs", run=run.id), "Train 10 more")
    assert "has no checkpoint of its last epoch any more" in app.error[0].value
    assert services.get_run(lab, run.id).status is RunStatus.COMPLETED


def test_clone_opens_the_form_filled_in(lab: Lab) -> None:
    run = finish_run(lab, config(model__filters=6, loss__dice=0.5), name="an old one")
    services.rename_dataset(lab, "bands", "stripes")
    app = press(open_page("runs", run=run.id), "Clone and edit")
    assert [title.value for title in app.title] == ["New run"]
    assert app.get_by_key("train.config.model.filters").value == 6
    assert app.session_state["train.config.loss.dice"] == 0.5
    assert app.session_state["train.config.data.dataset"] == "stripes"
    assert app.get_by_key(keys.TRAIN_RUN).value == run.id
    assert "As in an old one" in words(app)
    assert button(app, "No changes").disabled


def test_a_run_older_than_those_offered_is_cloned_too(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    old = finish_run(lab, config(model__filters=6), name="an old one", epochs=1)
    finish_run(lab, config(), epochs=1)
    newest = services.list_runs(lab, limit=1)
    monkeypatch.setattr(services, "list_runs", lambda lab, limit: newest)  # noqa: ARG005
    app = press(open_page("runs", run=old.id), "Clone and edit")
    assert "As in an old one" in words(app)
    assert app.get_by_key("train.config.model.filters").value == 6


def test_delete_asks_in_a_dialog_that_says_what_goes(scored: Lab, done: RunRecord) -> None:
    app = press(open_page("runs", run=done.id), "Delete …")
    said = words(app)
    for part in ("Delete 1 run?", done.id, "Its scores leave the leaderboard", "cannot be undone"):
        assert part in said
    assert services.find_run(scored, done.id)
    press(app, "Delete 1 run")
    assert services.find_run(scored, done.id) is None
    assert not scored.settings.run_dir(done.id).exists()
    assert "run" not in app.query_params
    assert done.id not in app.dataframe[0].value["Id"].tolist()


def test_a_run_is_archived_and_comes_back(scored: Lab, done: RunRecord) -> None:
    app = press(open_page("runs", run=done.id), "Archive")
    assert services.get_run(scored, done.id).archived
    assert "Archived" in words(app)
    assert done.id not in app.dataframe[0].value["Id"].tolist()
    press(app, "Unarchive")
    assert not services.get_run(scored, done.id).archived


def test_a_new_name_is_kept(scored: Lab, done: RunRecord) -> None:
    app = type_in(open_page("runs", run=done.id), "name", done, f"  {AWKWARD} again ")
    assert services.get_run(scored, done.id).name == f"{AWKWARD} again"
    assert app.dataframe[0].value["Name"][0] == f"{AWKWARD} again"
    assert not read_as_markup(app)


def test_notes_are_kept_and_shown_without_fetching_pictures(scored: Lab, done: RunRecord) -> None:
    notes = "**Better** on sand\n![x](https://example.org/x.png) <img src=x>"
    app = type_in(open_page("runs", run=done.id), "notes", done, notes)
    assert services.get_run(scored, done.id).notes == notes
    shown = next(element for element in app.markdown if "on sand" in element.value)
    assert shown.value == "**Better** on sand  \n!\\[x](https://example.org/x.png) <img src=x>"
    assert not shown.allow_html


def test_tags_are_kept_and_a_bad_one_is_refused_in_a_sentence(scored: Lab, done: RunRecord) -> None:
    app = type_in(open_page("runs", run=done.id), "tags", done, ["paper", AWKWARD])
    assert set(services.get_run(scored, done.id).tags) == {"paper", AWKWARD}
    assert ":material/label: paper" in words(app)
    assert not read_as_markup(app)
    type_in(app, "tags", done, ["a, b"])
    assert "without a comma" in app.error[0].value
    assert set(services.get_run(scored, done.id).tags) == {"paper", AWKWARD}
    assert set(app.get_by_key(keys.run_button("tags", done.id)).value) == {"paper", AWKWARD}


def test_a_run_that_was_watched_stays_on_show_when_it_ends(lab: Lab) -> None:
    run, token = start_run(lab, queue_run(lab, config(), "watched").id)
    app = open_page("runs")
    lab.store.finish(run.id, token, RunStatus.FAILED, REASON)
    app.run()
    assert app.error[0].proto.title == REASON
    assert app.query_params["run"] == run.id


def test_a_run_that_still_runs_is_neither_deleted_nor_archived(training: RunRecord) -> None:
    app = open_page("runs", run=training.id)
    assert not {"Delete …", "Archive", "Resume"} & labels(app)
    assert "Clone and edit" in labels(app)
    assert press_of(app, "clone", training).title[0].value == "New run"
