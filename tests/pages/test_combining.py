"""Runs put together on the Runs page: which are chosen, how, and what becomes of them."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord, RunStatus
from marsseg.ui import keys
from tests.pages.driver import button, labels, links, open_page, pick_row, press, read_as_markup, words
from tests.support.labs import start_run


@pytest.fixture
def runs(scored: Lab) -> list[RunRecord]:
    """Finished runs with networks, the newest first, as the table lists them."""
    found = services.finished_runs(scored)
    for run in found:
        (scored.settings.run_dir(run.id) / "model.onnx").write_bytes(b"a network")
    return found


def fill(app: AppTest, field: str, value: object, place: str = "several") -> AppTest:
    app.get_by_key(keys.combine_field(field, place)).set_value(value)
    return app.run()


def newest(lab: Lab) -> RunRecord:
    return services.list_runs(lab)[0]


def test_several_runs_are_averaged(scored: Lab, runs: list[RunRecord]) -> None:
    app = pick_row(open_page("runs"), 0, 1, 3)
    fill(app, "name", "committee")
    press(app, "Combine 3 runs")
    assert not app.exception
    run = newest(scored)
    assert (run.name, run.status, run.config.combine.rule) == ("committee", "queued", "mean")
    assert set(run.config.combine.members) == {runs[0].id, runs[1].id, runs[3].id}
    assert run.config.combine.flips is False
    assert "Queued" in app.toast[0].value


def test_two_runs_may_be_two_stages_and_it_is_said_which_lens_sees_it(
    scored: Lab, runs: list[RunRecord]
) -> None:
    app = pick_row(open_page("runs"), 0, 1)
    fill(app, "rule", "two_stage")
    assert "terrain lens does not count background" in words(app)
    fill(app, "first", runs[1].id)
    fill(app, "flips", True)
    press(app, "Combine 2 runs")
    combination = newest(scored).config.combine
    assert (combination.rule, combination.members) == ("two_stage", (runs[1].id, runs[0].id))
    assert combination.flips is True


def test_three_runs_are_no_two_stages(scored: Lab, runs: list[RunRecord]) -> None:
    app = pick_row(open_page("runs"), 0, 1, 2)
    assert app.get_by_key(keys.combine_field("rule", "several")).options == ["Average"]


def test_one_run_is_flipped(scored: Lab, runs: list[RunRecord]) -> None:
    app = pick_row(open_page("runs"), 0)
    press(app, "Flip this run")
    combination = newest(scored).config.combine
    assert (combination.members, combination.flips) == ((runs[0].id,), True)


def test_a_refusal_is_a_sentence(scored: Lab, runs: list[RunRecord]) -> None:
    (scored.settings.run_dir(runs[1].id) / "model.onnx").unlink()
    app = press(pick_row(open_page("runs"), 0, 1), "Combine 2 runs")
    assert not app.exception
    assert "has lost its network" in app.error[0].value
    assert newest(scored).id == runs[0].id


@pytest.fixture
def made(scored: Lab, runs: list[RunRecord]) -> RunRecord:
    """The finished mean of the two newest runs."""
    queued = services.combine(scored, [runs[0].id, runs[1].id], name="committee")
    run, token = start_run(scored, queued.id)
    scored.store.finish(run.id, token, RunStatus.COMPLETED, "combined 2 runs")
    return services.get_run(scored, run.id)


def test_a_combined_run_says_what_it_is_made_of_by_name(made: RunRecord, runs: list[RunRecord]) -> None:
    app = open_page("runs", run=made.id)
    assert not app.exception
    assert f"{runs[1].name} ({runs[1].id})" in {label.replace("\\", "") for label in links(app)}
    assert any(runs[0].id in label for label in links(app))
    assert not read_as_markup(app)


def test_a_deleted_member_is_told_and_is_no_link(scored: Lab, made: RunRecord, runs: list[RunRecord]) -> None:
    services.delete(scored, [runs[1].id])
    services.rename(scored, runs[2].id, runs[1].id)  # a name does not stand in for an id
    app = open_page("runs", run=made.id)
    assert f"{runs[1].id}, deleted" in words(app)
    assert not any(runs[1].id in label for label in links(app))


def test_a_combined_run_is_neither_extended_nor_opened_in_the_form(made: RunRecord) -> None:
    app = open_page("runs", run=made.id)
    assert not {label for label in labels(app) if label.startswith("Extend")}
    clone = button(app, "Clone and edit")
    assert clone.disabled
    assert "trains nothing" in clone.help
    assert made.id not in " ".join(open_page("train").get_by_key(keys.TRAIN_RUN).options)


def test_views_are_those_that_can_hold_something(made: RunRecord, runs: list[RunRecord]) -> None:
    app = open_page("runs", run=runs[0].id)
    view = app.get_by_key(keys.RUN_VIEW)
    assert view.options[:3] == ["Curves", "Masks over epochs", "Confusion"]
    assert "Made of" not in view.options
    view.set_value("Masks over epochs").run()
    app.query_params["run"] = made.id
    view = app.run().get_by_key(keys.RUN_VIEW)
    assert (view.options[0], view.value) == ("Made of", "Made of")
    assert not {"Curves", "Masks over epochs"} & set(view.options)
    view.set_value("Log").run()
    app.query_params["run"] = runs[0].id
    assert app.run().get_by_key(keys.RUN_VIEW).value == "Log"
    assert not app.exception


def test_the_question_before_deleting_names_what_is_made_of_it(
    made: RunRecord, runs: list[RunRecord]
) -> None:
    app = press(open_page("runs", run=runs[1].id), "Delete …")
    said = words(app)
    assert "1 combination is made of it and cannot be made again" in said
    assert f"**committee** :gray[{made.id}]" in said
    press(app, "Keep")
    assert "combination is made" not in words(press(open_page("runs", run=runs[2].id), "Delete …"))
