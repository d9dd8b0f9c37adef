"""A double click on a button that begins something begins it once."""

from __future__ import annotations

import pytest

from marsseg import services
from marsseg.errors import StoreError
from marsseg.services.lab import Lab
from marsseg.ui import keys
from tests.pages.driver import button, double_click, go_to, open_page, pick_row, press, words
from tests.support.labs import config, finish_run


def test_one_run_is_started_and_shown_whatever_was_on_show_before(lab: Lab) -> None:
    app = open_page("runs", run=finish_run(lab, config(), name="looked at before").id)
    go_to(app, "train")
    double_click(app, button(app, "Start"))
    assert not app.exception
    (run,) = services.queue(lab)
    assert [title.value for title in app.title] == ["Runs"]
    assert app.query_params["run"] == run.id
    assert [toast.value.replace("\\", "") for toast in app.toast] == [f"Queued: {run.name}"]


def test_a_start_that_is_refused_can_be_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreError("The database stayed busy.")

    app = open_page("train")
    with monkeypatch.context() as patch:
        patch.setattr(services, "submit_repeats", refuse)
        double_click(app, button(app, "Start"))
    assert words(app).count("The database stayed busy.") == 2  # below the title, and further down
    assert [title.value for title in app.title] == ["New run"]
    press(app, "Start")
    assert len(services.queue(lab)) == 1


def test_one_study_is_started(lab: Lab) -> None:
    app = open_page("study")
    app.get_by_key(keys.STUDY_REPEATS).set_value(1).run()
    (label,) = [element.label for element in app.button if element.label.startswith("Start ")]
    double_click(app, button(app, label))
    assert not app.exception
    assert label == f"Start {len(services.queue(lab))} runs"
    assert len(lab.store.list_studies()) == 1
    assert [title.value for title in app.title] == ["Runs"]
    assert "runs are queued" in app.toast[0].value


def test_one_demo_ablation_is_started(first_visit: Lab) -> None:
    app = open_page("leaderboard")
    double_click(app, button(app, "Run the demo ablation"))
    assert not app.exception
    assert len(services.queue(first_visit)) == 3
    assert "Three small runs are queued" in app.toast[0].value


def test_runs_are_combined_once_and_may_be_combined_again(scored: Lab) -> None:
    for run in services.finished_runs(scored):
        (scored.settings.run_dir(run.id) / "model.onnx").write_bytes(b"a network")
    app = pick_row(open_page("runs"), 0, 1)
    double_click(app, button(app, "Combine 2 runs"))
    assert not app.exception
    assert len(services.queue(scored)) == 1
    assert "Queued" in app.toast[0].value
    press(app, "Combine 2 runs")
    assert len(services.queue(scored)) == 2
